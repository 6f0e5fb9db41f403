import { normalizeName } from "./requirement.ts";
import { isVersion } from "./version.ts";

/** What the name of a distribution's file says (packaging.python.org, "Binary distribution format", "Source distribution format"). */
export type FileName =
  | { readonly kind: "wheel"; readonly name: string; readonly version: string; readonly pythons: readonly string[]; readonly abis: readonly string[]; readonly platforms: readonly string[] }
  | { readonly kind: "source"; readonly name: string; readonly version: string };

/** The parts of a file name, or nothing where it is neither a wheel nor a source distribution of a known form. */
export function parseFileName(file: string): FileName | undefined {
  return file.endsWith(".whl") ? wheelName(file) : sourceName(file);
}

function wheelName(file: string): FileName | undefined {
  const parts = file.slice(0, -".whl".length).split("-");
  if (parts.length !== 5 && parts.length !== 6) return undefined;
  const [name, version] = parts as [string, string];
  const [pythons, abis, platforms] = parts.slice(-3).map((tags) => tags.split(".")) as [string[], string[], string[]];
  return isVersion(version) ? { kind: "wheel", name: normalizeName(name), version, pythons, abis, platforms } : undefined;
}

/** Older source distributions keep dashes in their names, so the version is what stands behind the last dash that a version follows. */
function sourceName(file: string): FileName | undefined {
  const stem = /^(.+)(?:\.tar\.gz|\.tar\.xz|\.tar\.bz2|\.zip|\.tgz)$/.exec(file)?.[1];
  const dash = stem?.lastIndexOf("-") ?? -1;
  if (stem === undefined || dash < 1) return undefined;
  const [name, version] = [normalizeName(stem.slice(0, dash)), stem.slice(dash + 1)];
  return isVersion(version) ? { kind: "source", name, version } : undefined;
}
