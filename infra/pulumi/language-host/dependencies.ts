/** The program's npm packages, which `pulumi about` lists. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Dependency {
  readonly name: string;
  readonly version: string;
}

interface Entry {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** npm's lock file of version 2 or newer; its entry "" is the project itself. */
interface LockFile {
  readonly packages?: Readonly<Record<string, Entry>>;
}

/** By the nearest lock file upwards of the program. Throws where there is none. */
export function programDependencies(programFolder: string, transitive: boolean): Dependency[] {
  return lockedDependencies(JSON.parse(readFileSync(findLock(programFolder), "utf8")) as LockFile, transitive);
}

/** `transitive`: also what the dependencies depend on. */
export function lockedDependencies({ packages = {} }: LockFile, transitive: boolean): Dependency[] {
  const { dependencies, devDependencies } = packages[""] ?? {};
  const direct = new Set(Object.keys({ ...dependencies, ...devDependencies }).map((name) => `node_modules/${name}`));
  return Object.entries(packages).flatMap(([path, { version = "" }]) => {
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    return path !== "" && (transitive || direct.has(path)) ? [{ name, version }] : [];
  });
}

function findLock(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    const file = join(at, "package-lock.json");
    if (existsSync(file)) return file;
    if (at === dirname(at)) throw new Error(`no package-lock.json found (searching upwards from ${folder})`);
  }
}
