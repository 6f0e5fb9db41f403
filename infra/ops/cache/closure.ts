/** Paths and what they refer to, in a cache. */
import type { PathInfo } from "./path-info.ts";

export type PathInfos = ReadonlyMap<string, Pick<PathInfo, "references">>;

export interface Closure {
  /** Paths that the cache has. */
  readonly present: ReadonlySet<string>;
  /** Paths that are named, and that it has not. What they refer to is not known. */
  readonly missing: ReadonlySet<string>;
}

export function closureOf(infos: PathInfos, roots: Iterable<string>): Closure {
  const [present, missing, open] = [new Set<string>(), new Set<string>(), [...roots]];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (present.has(path) || missing.has(path)) continue;
    const info = infos.get(path);
    (info === undefined ? missing : present).add(path);
    if (info !== undefined) open.push(...info.references);
  }
  return { present, missing };
}

/** The paths, each before what it refers to: taken away in this order, what is left never lacks anything. */
export function referrersFirst(infos: PathInfos, paths: ReadonlySet<string>): string[] {
  const [done, order] = [new Set<string>(), [] as string[]];
  for (const start of paths) {
    const stack = [{ path: start, next: 0 }];
    while (stack.length > 0) {
      const top = stack.at(-1) as (typeof stack)[number];
      if (top.next === 0 && done.has(top.path)) {
        stack.pop();
        continue;
      }
      done.add(top.path);
      const below = (infos.get(top.path)?.references ?? [])[top.next++];
      if (below === undefined) order.push((stack.pop() as typeof top).path);
      else if (paths.has(below) && !done.has(below)) stack.push({ path: below, next: 0 });
    }
  }
  return order.reverse();
}
