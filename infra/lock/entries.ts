import type { Fault } from "../faults.ts";
import { parseFileName } from "./file-name.ts";
import type { IndexFile } from "./index-client.ts";
import type { LockedFile, System } from "./lock-file.ts";
import type { OutsideFile, Requirements } from "./requirements-file.ts";
import type { Resolution } from "./resolve.ts";
import { sameVersion } from "./version.ts";
import { bestWheel, fitsEverySystem, type Target } from "./wheel-tags.ts";

/** A file for a distribution on one system. */
export interface Choice {
  readonly name: string;
  readonly version: string;
  readonly system: System;
  readonly file: IndexFile;
}

/** Which distribution a file is wanted of, and what was locked for it. */
export interface Wanted {
  readonly name: string;
  readonly version: string;
  readonly target: Target;
  readonly fromSource: boolean;
  /** The entry that was locked for this name on this system. */
  readonly before?: LockedFile;
}

/** The file of the wanted version: the one locked before as long as the index has it, else the best wheel, or the source. */
export function chooseFile(wanted: Wanted, files: readonly IndexFile[], where: string): Choice | Fault {
  const { name, version, target, fromSource, before } = wanted;
  const kind = fromSource ? "source" : "wheel";
  const ofVersion = files.filter(({ file }) => {
    const parsed = parseFileName(file);
    return parsed?.kind === kind && sameVersion(parsed.version, version);
  });
  const kept = before !== undefined && before.version === version ? ofVersion.find(({ file }) => file === before.file) : undefined;
  const file = (kept && (fromSource || bestWheel([kept], target))) ? kept : fromSource ? firstSource(ofVersion) : bestWheel(ofVersion, target);
  if (file === undefined) return noFileFault(wanted, files, where);
  if (file.yanked !== undefined) return yankedFault(wanted, file, where);
  if (file !== kept || before === undefined) return { name, version, system: target.system, file };
  if (kept.hash !== undefined && kept.hash !== before.hash) return hashFault(wanted, kept, before, where);
  // Where the index states no hash, the locked one stays: whoever downloads the file compares it.
  return { name, version, system: target.system, file: { ...kept, hash: before.hash } };
}

/** Of several archives the first in the order that the packaging standards prefer: .tar.gz before .zip. */
function firstSource(files: readonly IndexFile[]): IndexFile | undefined {
  return files.toSorted((a, b) => Number(b.file.endsWith(".tar.gz")) - Number(a.file.endsWith(".tar.gz")) || (a.file < b.file ? -1 : 1))[0];
}

function noFileFault({ name, version, target, fromSource }: Wanted, files: readonly IndexFile[], where: string): Fault {
  const seen = files.map(({ file }) => file).filter((file) => sameVersion(parseFileName(file)?.version ?? "", version));
  return {
    code: "LOCK_NO_FILE",
    where,
    problem: `the index has no ${fromSource ? "source distribution" : "wheel"} of ${name} ${version} that fits ${target.system}`,
    found: seen.join(", ") || "no file of this version",
    expected: fromSource ? "a .tar.gz file" : `a wheel for Python ${target.python} and ${target.platform}`,
  };
}

const hashFault = ({ name, version }: Wanted, file: IndexFile, before: LockedFile, where: string): Fault => ({
  code: "LOCK_HASH",
  where,
  problem: `the index states another hash for ${file.file} (${name} ${version}) than the one locked`,
  found: file.hash ?? "none",
  expected: before.hash,
  fix: "ask the project's maintainers what happened; do not lock the new hash before you know",
});

export const yankedFault = ({ name, version }: { readonly name: string; readonly version: string }, file: IndexFile, where: string): Fault => ({
  code: "LOCK_YANKED",
  where,
  problem: `${name} ${version} was taken back by its maintainers (yanked)${file.yanked === "" || file.yanked === undefined ? "" : `: ${file.yanked}`}`,
  found: file.file,
  fix: `npm run lock -- update ${name}`,
});

/** An outside file as an entry: without what only this tool wants to know. */
export function outsideEntry(file: OutsideFile): LockedFile {
  const { requires: _requires, without: _without, ...entry } = { without: [], ...file };
  return entry;
}

/** The choices for one name as entries: a file that runs everywhere and is used everywhere is one entry without a system. */
export function entriesOf(choices: readonly Choice[], requirements: Requirements, everywhere: number, before: readonly LockedFile[]): LockedFile[] {
  const [first] = choices;
  if (first === undefined) return [];
  const build = requirements.fromSource[first.name]?.build;
  const entry = ({ name, version, file }: Choice): LockedFile => {
    const size = file.size ?? before.find((old) => old.file === file.file && old.hash === file.hash)?.size;
    return { index: "pypi", name, version, file: file.file, hash: file.hash as string, ...(size === undefined ? {} : { size }) };
  };
  const shared = choices.length === everywhere && choices.every(({ file }) => file.file === first.file.file) && fitsEverySystem(first.file.file);
  const entries = shared ? [entry(first)] : choices.map((choice) => ({ ...entry(choice), system: choice.system }));
  return entries.map((each) => (build === undefined ? each : { ...each, build }));
}

/** What is wanted of the index: every resolved distribution that has no file of its own in the requirements. */
export function wantedFiles(requirements: Requirements, { versions, provided }: Resolution, before: readonly LockedFile[]): Wanted[] {
  return [...versions].flatMap(([system, resolved]) => {
    const outside = new Set(requirements.files.filter((file) => (file.system ?? system) === system).map(({ name }) => name));
    return [...resolved].filter(([name]) => !outside.has(name) && !provided.has(name)).map(([name, version]): Wanted => {
      const old = before.find((entry) => entry.name === name && (entry.system ?? system) === system);
      return {
        name,
        version,
        target: { python: requirements.python, platform: requirements.systems[system] as string, system },
        fromSource: name in requirements.fromSource,
        ...(old === undefined ? {} : { before: old }),
      };
    });
  });
}
