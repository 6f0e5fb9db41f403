/** Asks `uv pip compile`, which resolves: a question is plain data, and becomes files and arguments by a plain function. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FaultError } from "../faults.ts";
import { normalizeName } from "./requirement.ts";
import type { Target } from "./wheel-tags.ts";

/** A distribution that no index has: its metadata is known beforehand. */
export interface KnownDistribution {
  readonly name: string;
  readonly version: string;
  readonly requires: readonly string[];
}

export interface Question {
  readonly target: Target;
  readonly requirements: readonly string[];
  readonly constraints: readonly string[];
  readonly overrides: readonly string[];
  /** Names that are not resolved, whoever requires them. */
  readonly excludes: readonly string[];
  /** Names that come as source, with what they need where that is said beforehand. */
  readonly fromSource: ReadonlyMap<string, readonly string[] | undefined>;
  readonly known: readonly KnownDistribution[];
  /** Versions that stay as long as they fit. */
  readonly preferred: ReadonlyMap<string, string>;
}

/** Where uv looks, and where it keeps what it read. */
export interface UvSettings {
  readonly index: string;
  readonly cache: string;
}

const output = "resolved.txt";
const lines = (items: Iterable<string>): string => [...items].map((item) => `${item}\n`).join("");

/** An address that is never asked, since the metadata is known: what stands in it is the name and the version. */
const standIn = ({ name, version }: KnownDistribution): string => `https://file.invalid/${name.replaceAll("-", "_")}-${version}-py3-none-any.whl`;

function metadataToml(name: string, version: string | undefined, requires: readonly string[]): string {
  // A JSON string is a TOML string.
  return ["[[dependency-metadata]]", `name = ${JSON.stringify(name)}`, ...(version === undefined ? [] : [`version = ${JSON.stringify(version)}`]), `requires-dist = ${JSON.stringify(requires)}`, ""].join("\n");
}

/** The files of a question, by name. */
export function uvFiles(question: Question): Readonly<Record<string, string>> {
  const fromSource = [...question.fromSource].flatMap(([name, requires]) => (requires === undefined ? [] : [metadataToml(name, undefined, requires)]));
  return {
    "requirements.in": lines(question.requirements),
    // As constraints they are taken wherever they are required, and every bound on them still counts.
    "constraints.txt": lines([...question.constraints, ...question.known.map((known) => `${known.name} @ ${standIn(known)}`)]),
    "overrides.txt": lines(question.overrides),
    "excludes.txt": lines(question.excludes),
    "uv.toml": lines([...question.known.map(({ name, version, requires }) => metadataToml(name, version, requires)), ...fromSource]),
    // uv keeps the versions that its output file holds already.
    [output]: lines([...question.preferred].map(([name, version]) => `${name}==${version}`)),
  };
}

export function uvArguments({ target, fromSource }: Question): string[] {
  const machine = target.system.replace(/-linux$/, "");
  return [
    "pip", "compile", "requirements.in", "--quiet", "--color=never", "--no-progress", "--no-header", "--no-annotate",
    "--config-file=uv.toml", "--constraints=constraints.txt", "--overrides=overrides.txt", "--excludes=excludes.txt", `--output-file=${output}`,
    `--python-version=${target.python}`, `--python-platform=${machine}-${target.platform}`, "--no-python-downloads",
    "--only-binary=:all:", ...[...fromSource.keys()].map((name) => `--no-binary=${name}`),
  ];
}

/** uv's answer: `name==version`, or `name @ address` of a known distribution, a line. */
export function parseAnswer(text: string, known: readonly KnownDistribution[]): Map<string, string> {
  const versions = new Map(known.map(({ name, version }) => [name, version]));
  const entries = text.split("\n").flatMap((line): [string, string][] => {
    const [, pinned, version] = /^([A-Za-z0-9._-]+)==(\S+)$/.exec(line) ?? [];
    if (pinned !== undefined && version !== undefined) return [[normalizeName(pinned), version]];
    const [, placed = ""] = /^([A-Za-z0-9._-]+) @ /.exec(line) ?? [];
    const name = normalizeName(placed);
    return placed === "" ? [] : [[name, versions.get(name) as string]];
  });
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The resolved versions by name. `where` names the requirements file in errors. */
export async function resolveWithUv(question: Question, { index, cache }: UvSettings, where: string): Promise<Map<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), "comfyui-lock-"));
  try {
    for (const [name, text] of Object.entries(uvFiles(question))) writeFileSync(join(folder, name), text);
    mkdirSync(cache, { recursive: true });
    // The index may hold a password, so it is never an argument.
    const { code, stderr } = await runUv(uvArguments(question), folder, { UV_DEFAULT_INDEX: index, UV_CACHE_DIR: cache });
    if (code !== 0) throw uvFault(stderr, where, question.target);
    return parseAnswer(readFileSync(join(folder, output), "utf8"), question.known);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs uv without the settings that its user made for other projects, but for those of the network. */
export function runUv(args: readonly string[], cwd: string, settings: Readonly<Record<string, string>>): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const kept = /^(?!UV_)|^UV_(HTTP|NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST|KEYRING|REQUEST|DEFAULT_INDEX|INDEX_URL)/;
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => kept.test(name)));
  return new Promise((resolve, reject) => {
    const child = spawn("uv", args, { cwd, env: { ...environment, ...settings }, stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => (stdout += String(chunk)));
    child.stderr.on("data", (chunk) => (stderr += String(chunk)));
    child.once("error", () => reject(new FaultError([{ code: "LOCK_UV", where: "uv", problem: "uv does not start", found: `PATH=${process.env["PATH"]}` }])));
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** uv's exit code 1 is a question without an answer; everything else is a trouble of its own. */
function uvFault(stderr: string, where: string, { system }: Target): FaultError {
  const text = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("warning: The requested Python version")).join("\n            ").replaceAll(/\/\/[^/@\s]*@/g, "//");
  if (stderr.includes("No solution found")) {
    return new FaultError([{ code: "LOCK_UNSOLVABLE", where, problem: `no set of versions fits all requirements on ${system}`, found: text }]);
  }
  if (/Failed to fetch|error sending request|Request failed/.test(stderr)) {
    return new FaultError([{ code: "LOCK_INDEX", where: "package index", problem: "the index cannot be asked", found: text }]);
  }
  return new FaultError([{ code: "LOCK_UV", where, problem: `uv failed on ${system}`, found: text }]);
}
