import { type FileName, parseFileName } from "./file-name.ts";
import type { System } from "./lock-file.ts";

/** What a wheel must fit: an interpreter of CPython and the newest manylinux platform of a system. */
export interface Target {
  /** Such as 3.14. */
  readonly python: string;
  /** Such as manylinux_2_28: the oldest C library that the layers may run on. */
  readonly platform: string;
  readonly system: System;
}

const aliases: Readonly<Record<string, string>> = { manylinux1: "manylinux_2_5", manylinux2010: "manylinux_2_12", manylinux2014: "manylinux_2_17" };

/**
 * How well a platform tag fits: the C library's minor version it wants (newer is better, and what pip prefers), 0 for a plain
 * linux tag, -1 for any platform; nothing where it does not fit.
 */
function platformRank(tag: string, { platform, system }: Target): number | undefined {
  if (tag === "any") return -1;
  const machine = system.replace(/-linux$/, "");
  if (!tag.endsWith(`_${machine}`)) return undefined;
  const bare = tag.slice(0, -machine.length - 1);
  if (bare === "linux") return 0;
  const [, minor] = /^manylinux_2_(\d+)$/.exec(aliases[bare] ?? bare) ?? [];
  const [, newest] = /^manylinux_2_(\d+)$/.exec(platform) ?? [];
  return minor !== undefined && Number(minor) <= Number(newest) ? Number(minor) : undefined;
}

/** How well an interpreter and its ABI fit, best first as pip orders them: cp314-cp314, cp314-abi3 … cp32-abi3, cp314-none, py3-none. */
function pythonRank(python: string, abi: string, target: Target): number | undefined {
  const minor = Number(target.python.split(".")[1]);
  const [, kind, version = ""] = /^(cp|py)3(\d*)$/.exec(python) ?? [];
  if (kind === undefined || (python !== "py3" && version === "")) return undefined;
  const wanted = version === "" ? 0 : Number(version);
  if (wanted > minor) return undefined;
  if (kind === "cp" && abi === `cp3${minor}` && wanted === minor) return 300;
  if (kind === "cp" && abi === "abi3" && wanted >= 2) return 200 + wanted;
  if (kind === "cp" && abi === "none" && wanted === minor) return 100;
  return kind === "py" && abi === "none" ? wanted : undefined;
}

/** How well a wheel fits a target, as two numbers to compare in turn; nothing where it does not fit. */
export function wheelRank(name: FileName & { kind: "wheel" }, target: Target): readonly [number, number] | undefined {
  const pythons = name.pythons.flatMap((python) => name.abis.map((abi) => pythonRank(python, abi, target))).filter((rank) => rank !== undefined);
  const platforms = name.platforms.map((platform) => platformRank(platform, target)).filter((rank) => rank !== undefined);
  return pythons.length === 0 || platforms.length === 0 ? undefined : [Math.max(...pythons), Math.max(...platforms)];
}

/** Whether a wheel runs on every system. */
export function fitsEverySystem(file: string): boolean {
  const name = parseFileName(file);
  return name?.kind !== "wheel" || name.platforms.includes("any");
}

/** The file that fits best; where two fit equally, the first by name. */
export function bestWheel<F extends { readonly file: string }>(files: readonly F[], target: Target): F | undefined {
  const ranked = files.flatMap((file) => {
    const name = parseFileName(file.file);
    const rank = name?.kind === "wheel" ? wheelRank(name, target) : undefined;
    return rank === undefined ? [] : [{ file, rank }];
  });
  ranked.sort((a, b) => b.rank[0] - a.rank[0] || b.rank[1] - a.rank[1] || (a.file.file < b.file.file ? -1 : 1));
  return ranked[0]?.file;
}
