import type { Refs, Revision } from "./git-remote.ts";

/** A name with a version in it, such as `v1.2.3` or `release-2.0-cuda`, in its three parts. */
const pattern = /^(?<before>.*?)(?<version>\d+(?:\.\d+)*)(?<behind>\D*)$/;

function compareNumbers(a: string, b: string): number {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)];
  const different = Array.from({ length: Math.max(left.length, right.length) }, (_, at) => (left[at] ?? 0) - (right[at] ?? 0)).find((each) => each !== 0);
  return different ?? 0;
}

/**
 * Where a pinned tag or branch leads now. A branch: its head. A tag: the highest version among the tags that differ from it in
 * the version alone (`v1.2` leads to `v1.10`, never to `v2.0-rc1` or `nightly-3`). Nothing where the ref is gone.
 */
export function newerRevision(refs: Refs, ref: string): Revision | undefined {
  if (!refs.tags.has(ref)) {
    const head = refs.branches.get(ref);
    return head === undefined ? undefined : { rev: head, ref };
  }
  const partsOf = (name: string) => pattern.exec(name)?.groups as { before: string; version: string; behind: string } | undefined;
  const own = partsOf(ref);
  const alike = [...refs.tags.keys()].filter((name) => {
    const parts = partsOf(name);
    return own !== undefined && parts !== undefined && parts.before === own.before && parts.behind === own.behind;
  });
  const newest = alike.sort((a, b) => compareNumbers(partsOf(a)?.version as string, partsOf(b)?.version as string)).at(-1) ?? ref;
  return { rev: refs.tags.get(newest) as string, ref: newest };
}
