/** A requirement as people write it: NAME[EXTRA,…] BOUNDS; MARKER (packaging.python.org, "Dependency specifiers"). */
export interface Requirement {
  /** Normalized. */
  readonly name: string;
  /** `>=1.2,<2`; empty: any version. */
  readonly bounds: string;
  /** Where it holds; empty: everywhere. */
  readonly marker: string;
}

/** PyPA, "Name normalization": Foo_Bar.baz and foo-bar-baz are one project. */
export function normalizeName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}

const name = "[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?";
const bound = String.raw`(?:~=|===|==|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+`;
const pattern = new RegExp(
  String.raw`^\s*(?<name>${name})\s*(?:\[[^\]]*\])?\s*(?:\(?(?<bounds>${bound}(?:\s*,\s*${bound})*)\)?)?\s*(?:;\s*(?<marker>.+?))?\s*$`,
);

/** The parts of a requirement, or nothing where the text is none. An address (`NAME @ URL`) is none: it has a hash elsewhere. */
export function parseRequirement(text: string): Requirement | undefined {
  const found = pattern.exec(text)?.groups;
  if (found === undefined) return undefined;
  return { name: normalizeName(found["name"] as string), bounds: (found["bounds"] ?? "").replace(/\s+/g, ""), marker: found["marker"] ?? "" };
}

/** The same for texts whose form a schema has checked. */
export function requirementOf(text: string): Requirement {
  const found = parseRequirement(text);
  if (found === undefined) throw new SyntaxError(`not a requirement: ${text}`);
  return found;
}
