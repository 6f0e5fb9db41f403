/** What can be wrong with a flavor's locks without asking anybody. Pure; every fault at once. */
import type { Fault } from "../faults.ts";
import { outsideEntry } from "./entries.ts";
import { parseFileName } from "./file-name.ts";
import { type FlavorFiles, lockPath, requirementsPath } from "./flavor-files.ts";
import { type LockedFile, originOf, type System } from "./lock-file.ts";
import { requirementOf } from "./requirement.ts";
import { systemsOf } from "./resolve.ts";
import { sameVersion, satisfies } from "./version.ts";
import { wheelRank } from "./wheel-tags.ts";

export interface Located {
  readonly layer: string;
  readonly entry: LockedFile;
  readonly where: string;
}

export function located({ flavor, locks }: FlavorFiles): Located[] {
  return [...locks].flatMap(([layer, { files }]) => files.map((entry, at) => ({ layer, entry, where: `layers/${lockPath(flavor, layer)}: files[${at}] (${entry.name})` })));
}

/** `layers` must have a lock each; `partial`: what is required may be elsewhere than in these locks. */
export function checkLocks(files: FlavorFiles, layers: readonly string[], partial: boolean): Fault[] {
  const entries = located(files);
  return [
    ...missingLocks(files, layers),
    ...entries.flatMap((each) => [...nameFaults(each), ...systemFaults(each, files), ...tagFaults(each, files)]),
    ...twiceFaults(entries, files),
    ...requirementFaults(entries, files, partial),
    ...boundFaults(entries, files),
    ...outsideFaults(entries, files),
  ];
}

const stale = (where: string, problem: string, found: string, expected: string, flavor: string): Fault => ({ code: "LOCK_STALE", where, problem, found, expected, fix: `npm run lock -- --flavor ${flavor}` });

function missingLocks({ flavor, locks }: FlavorFiles, layers: readonly string[]): Fault[] {
  return layers.filter((layer) => !locks.has(layer)).map((layer) => stale(`layers/${lockPath(flavor, layer)}`, "the lock is missing", "no file", "a lock for each layer", flavor));
}

/** Files of an index and wheels say what they are; a source tree from elsewhere may be called anything. */
function nameFaults({ entry, where }: Located): Fault[] {
  const found = parseFileName(entry.file);
  if (originOf(entry) !== "index" && found?.kind !== "wheel") return [];
  if (found !== undefined && found.name === entry.name && sameVersion(found.version, entry.version)) return [];
  return [{ code: "LOCK_FILE_NAME", where, problem: "the file's name is not that of this distribution and version", found: entry.file, expected: `a wheel or source distribution of ${entry.name} ${entry.version}` }];
}

function systemFaults({ entry, where }: Located, { flavor, requirements }: FlavorFiles): Fault[] {
  const known = systemsOf(requirements);
  if (entry.system === undefined || known.includes(entry.system)) return [];
  return [stale(where, "the flavor is not locked for this system", entry.system, known.join(" or "), flavor)];
}

function tagFaults({ entry, where }: Located, { requirements }: FlavorFiles): Fault[] {
  const name = parseFileName(entry.file);
  if (name?.kind !== "wheel") return [];
  const systems: readonly System[] = entry.system === undefined ? systemsOf(requirements) : [entry.system];
  return systems.flatMap((system): Fault[] => {
    const platform = requirements.systems[system];
    if (platform === undefined || wheelRank(name, { python: requirements.python, platform, system }) !== undefined) return [];
    return [{ code: "LOCK_TAGS", where, problem: `the wheel does not fit ${system}`, found: entry.file, expected: `a wheel for Python ${requirements.python} and ${platform}, or another system` }];
  });
}

function twiceFaults(entries: readonly Located[], { requirements }: FlavorFiles): Fault[] {
  return [...Map.groupBy(entries, ({ entry }) => entry.name)].flatMap(([name, same]): Fault[] => {
    const layers = [...new Set(same.map(({ layer }) => layer))];
    const overlap = systemsOf(requirements).some((system) => same.filter(({ entry }) => (entry.system ?? system) === system).length > 1);
    if (layers.length < 2 && !overlap) return [];
    return [{ code: "LOCK_TWICE", where: same.at(-1)?.where ?? name, problem: `${name} is locked more than once`, found: same.map(({ layer, entry }) => `${layer}: ${entry.file}`).join(" and "), expected: "one file for each system, in one layer" }];
  });
}

/** Each layer's own requirements against what is locked. Markers are the resolver's: they only say that it may be missing. */
function requirementFaults(entries: readonly Located[], files: FlavorFiles, partial: boolean): Fault[] {
  const { flavor, requirements } = files;
  return Object.entries(requirements.layers).flatMap(([layer, texts]) => texts.flatMap((text): Fault[] => {
    const { name, bounds, marker } = requirementOf(text);
    const where = `layers/${requirementsPath(flavor)}: layers.${layer}`;
    return systemsOf(requirements).flatMap((system): Fault[] => {
      const found = entries.find(({ entry }) => entry.name === name && (entry.system ?? system) === system)?.entry;
      const leftOut = requirements.leaveOut.some((rule) => rule.name === name && rule.system === system);
      if (found === undefined) return leftOut || partial || marker !== "" ? [] : [stale(where, `${text} is not locked for ${system}`, "no entry", `an entry for ${name}`, flavor)];
      if (leftOut) return [stale(where, `${name} is locked for ${system}, where leaveOut leaves it out`, found.file, "no entry", flavor)];
      const overridden = requirements.overrides.some((each) => requirementOf(each).name === name);
      return overridden || satisfies(found.version, bounds) ? [] : [stale(where, `what is locked for ${system} does not satisfy a requirement`, `${name} ${found.version}`, text, flavor)];
    });
  }));
}

function boundFaults(entries: readonly Located[], { flavor, requirements }: FlavorFiles): Fault[] {
  return requirements.bounds.flatMap((text) => {
    const { name, bounds, marker } = requirementOf(text);
    return entries.filter(({ entry }) => entry.name === name && marker === "" && !satisfies(entry.version, bounds)).map(({ entry, where }) => stale(where, "the locked version is out of bounds", entry.version, text, flavor));
  });
}

/** Files that the requirements give are locked as they stand there. */
function outsideFaults(entries: readonly Located[], { flavor, requirements }: FlavorFiles): Fault[] {
  return requirements.files.map(outsideEntry).flatMap((file) => {
    const locked = entries.find(({ entry }) => entry.name === file.name && (entry.system ?? file.system) === file.system);
    const differ = locked !== undefined && JSON.stringify(sorted(locked.entry)) !== JSON.stringify(sorted(file));
    return differ ? [stale(locked.where, "the entry is not what requirements.json says under files", locked.entry.file, `${file.file} ${file.hash}`, flavor)] : [];
  });
}

const sorted = (value: object) => Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));

/** What names an entry's bytes, beside their hash. */
function address(entry: LockedFile): string {
  const values: Readonly<Record<string, unknown>> = { ...entry };
  return ["index", "url", "git", "rev", "given", "version", "file"].map((key) => String(values[key] ?? "")).join(" ").trim();
}

/** Entries whose address changed while the hash stayed, or the reverse, since the state that git has: nobody's tool writes that. */
export function checkAgainst(before: readonly LockedFile[], files: FlavorFiles): Fault[] {
  return located(files).flatMap(({ entry, where }): Fault[] => {
    const old = before.find((each) => each.name === entry.name && each.system === entry.system);
    if (old === undefined || (address(old) === address(entry)) === (old.hash === entry.hash)) return [];
    // Two commits may have the same files.
    if (old.hash === entry.hash && originOf(entry) === "git") return [];
    return old.hash === entry.hash
      ? [{ code: "LOCK_ADDRESS", where, problem: "the address changed and the hash stayed", found: address(entry), expected: `${address(old)}, or another hash` }]
      : [{ code: "LOCK_ADDRESS", where, problem: "the hash changed and the address stayed", found: entry.hash, expected: `${old.hash}, or another address` }];
  });
}
