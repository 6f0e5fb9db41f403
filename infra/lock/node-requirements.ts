/** What a custom node requires, as its repository says it: requirements.txt as ComfyUI's Manager installs it, else pyproject.toml. */
import { normalizeName, parseRequirement } from "./requirement.ts";

export interface NodeRequirements {
  /** Requirements that can be locked, as written. */
  readonly requires: readonly string[];
  /** Lines that cannot: they name no distribution of an index. */
  readonly refused: readonly string[];
}

/** `read` gives a file of the repository; `without` are names of requirements to leave out. */
export function nodeRequirements(read: (file: string) => string | undefined, without: readonly string[]): NodeRequirements {
  const text = read("requirements.txt");
  const project = read("pyproject.toml");
  const lines = text !== undefined ? requirementLines(text, read, ["requirements.txt"]) : project !== undefined ? projectDependencies(project) : [];
  const left = [...new Set(lines)].filter((line) => !without.includes(nameOf(line)));
  return { requires: left.filter((line) => parseRequirement(line) !== undefined), refused: left.filter((line) => parseRequirement(line) === undefined) };
}

/** Whose requirement a line is, as far as it says so: the last part of an address, where it is nothing but one. */
export function nameOf(line: string): string {
  const named = /^([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*@/.exec(line)?.[1] ?? /#egg=([A-Za-z0-9._-]+)/.exec(line)?.[1];
  const address = /([^/@#?]+?)(?:\.git)?(?:@[^/]*)?(?:[#?].*)?$/.exec(line)?.[1];
  return normalizeName(parseRequirement(line)?.name ?? named ?? address ?? line);
}

/** pip's requirements file format: comments, continued lines, hashes, and other files of the repository (-r). */
function requirementLines(text: string, read: (file: string) => string | undefined, seen: readonly string[]): string[] {
  return text.replaceAll(/\\\r?\n/g, " ").split(/\r?\n/).flatMap((raw) => {
    const line = raw.replace(/(^|\s)#.*$/, "").replaceAll(/\s--hash=\S+/g, "").replaceAll(/\s+/g, " ").trim();
    const [, other] = /^(?:-r|--requirement)[\s=]+(\S+)$/.exec(line) ?? [];
    if (other !== undefined && seen.includes(other)) return [];
    const included = other === undefined ? undefined : read(other);
    if (included !== undefined) return requirementLines(included, read, [...seen, other as string]);
    // Other indexes are the user's choice, not a repository's: files are looked for where all others are.
    return line === "" || /^--(extra-)?index-url\b/.test(line) ? [] : [line];
  });
}

/** `dependencies` of `[project]`: a TOML array of strings (packaging.python.org, "pyproject.toml specification"). */
function projectDependencies(text: string): string[] {
  const [, project = ""] = /^\[project\][^\n]*\n([\s\S]*?)(?=^\[|$(?![\s\S]))/m.exec(text) ?? [];
  // Nobody but the project's own build could tell.
  if (/^dynamic\s*=\s*\[[^\]]*["']dependencies["']/m.test(project)) return ["the dynamic dependencies of pyproject.toml"];
  const [, list = ""] = /^dependencies\s*=\s*\[((?:"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*|[^\]"'#])*)\]/m.exec(project) ?? [];
  return [...list.matchAll(/#[^\n]*|"((?:\\.|[^"\\\n])*)"|'([^'\n]*)'/g)].flatMap(([, basic, literal]) => (basic === undefined ? (literal ?? []) : (JSON.parse(`"${basic}"`) as string)));
}
