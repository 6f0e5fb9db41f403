/** What a stack's cache holds, as its hosts tell it. */
import { z } from "zod";
import { type PathInfo, parsePathInfos } from "./path-info.ts";
import { type Pin, parsePins } from "./pins.ts";

/** Answer of ops/cache-inventory.sh. */
export const inventoryAnswer = z.object({
  problem: z.string().nullable(),
  location: z.string(),
  publicKeys: z.array(z.string()),
  infos: z.string(),
  files: z.string(),
  pins: z.string(),
  local: z.string(),
  digest: z.string(),
  lacks: z.string().nullable().default(null),
  freeBytes: z.number().nullable(),
});

export interface Inventory {
  /** Why it cannot be read; all else is empty then. */
  readonly problem: string | undefined;
  readonly location: string;
  /** Keys whose signatures its readers take, the newest first. */
  readonly publicKeys: readonly string[];
  readonly infos: ReadonlyMap<string, PathInfo>;
  /** Archives with their sizes; empty where the cache is a Nix store. */
  readonly files: ReadonlyMap<string, number>;
  readonly pins: readonly Pin[];
  /** What the build host itself keeps. */
  readonly local: readonly Pin[];
  /** Of the pins. */
  readonly digest: string;
  /** What the build host lacks to see the pins, and to take anything away. */
  readonly lacks?: string | undefined;
  readonly freeBytes: number | undefined;
  /** Paths that something else than a pin keeps there. */
  readonly roots: readonly string[];
}

export function inventoryOf({ problem, infos, files, pins, local, freeBytes, lacks, ...rest }: z.output<typeof inventoryAnswer>): Inventory {
  return {
    ...rest,
    problem: problem ?? undefined,
    lacks: lacks ?? undefined,
    infos: new Map(parsePathInfos(infos).map((info) => [info.path, info])),
    files: new Map(Array.from(files.matchAll(/^(\d+) (.+)$/gm), ([, size, name = ""]) => [name, Number(size)])),
    pins: parsePins(pins),
    local: parsePins(local),
    freeBytes: freeBytes ?? undefined,
    roots: [],
  };
}
