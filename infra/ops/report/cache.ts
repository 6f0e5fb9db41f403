/** What a report tells of the stack's binary cache: what `cache status` says. */
import { z } from "zod";
import { humanSize } from "../../table.ts";

/** The answer of `cache status --json`, as far as a report needs it. */
const status = z.object({
  kind: z.string(),
  problem: z.string().nullable(),
  location: z.string(),
  publicKeys: z.array(z.string()),
  paths: z.number(),
  unsigned: z.number(),
  bytes: z.number(),
  freeBytes: z.number().nullable(),
  images: z.array(z.object({ tag: z.string() })),
  oldest: z.object({ tag: z.string(), at: z.string() }).nullable(),
  lastBuilds: z.object({ built: z.number(), substituted: z.number() }),
  parts: z.array(z.object({ stack: z.string(), part: z.string(), paths: z.number(), size: z.number(), bad: z.array(z.object({ trouble: z.string() })) })),
});

export interface CachePart {
  readonly stack: string;
  /** A layer, or `image`. */
  readonly part: string;
  readonly paths: number;
  readonly size: number;
  /** What is wrong with it; empty: nothing. */
  readonly trouble: string;
}

export interface CacheHealth {
  /** Why it cannot be read. */
  readonly problem: string | undefined;
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Of each stack that shares it. */
  readonly parts: readonly CachePart[];
}

export function cacheHealth(json: object): CacheHealth {
  const { kind, problem, location, publicKeys, paths, unsigned, bytes, freeBytes, images, oldest, lastBuilds, parts } = status.parse(json);
  const made = lastBuilds.built + lastBuilds.substituted;
  return {
    problem: problem ?? undefined,
    facts: [
      ["Place", `${kind}, ${location}`],
      ["Keys", publicKeys.join(", ")],
      ["Holds", `${paths} store paths, ${humanSize(bytes)}`],
      ["Without a valid signature", String(unsigned)],
      ["Free", freeBytes === null ? "not known" : humanSize(freeBytes)],
      ["Images", `${images.length}${oldest === null ? "" : `, the oldest ${oldest.tag} of ${oldest.at.slice(0, 10)}`}`],
      ["Hit rate of the last builds", made === 0 ? "nothing was built or fetched" : `${Math.round((100 * lastBuilds.substituted) / made)} % (${lastBuilds.substituted} of ${made} came from a cache)`],
    ],
    parts: parts.map(({ bad, ...part }) => ({ ...part, trouble: troubleOf(bad.map(({ trouble }) => trouble)) })),
  };
}

function troubleOf(bad: readonly string[]): string {
  return [...new Set(bad)].map((trouble) => `${bad.filter((each) => each === trouble).length} ${trouble}`).join(", ");
}
