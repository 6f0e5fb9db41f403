/** What has changed between two sets of inputs, property by property. Pure. */
import { isDeepStrictEqual } from "node:util";
import { isList, isPlain, type Properties, type Value } from "./properties.ts";

export type Change = "add" | "delete" | "update";

type Path = readonly (string | number)[];

/** The changes by their paths, each as deep as the change itself: `triggers[0]["a/b"]`. A secret changes as a whole. */
export function changes(old: Properties, now: Properties): ReadonlyMap<string, Change> {
  const found = new Map<string, Change>();
  compare(old, now, [], found);
  return found;
}

function compare(old: Value | undefined, now: Value | undefined, path: Path, found: Map<string, Change>): void {
  if (old === undefined || now === undefined) {
    found.set(pathText(path), old === undefined ? "add" : "delete");
  } else if (isList(old) && isList(now)) {
    for (let at = 0; at < Math.max(old.length, now.length); at++) compare(old[at], now[at], [...path, at], found);
  } else if (isPlain(old) && isPlain(now)) {
    for (const name of new Set([...Object.keys(old), ...Object.keys(now)])) compare(old[name], now[name], [...path, name], found);
  } else if (!isDeepStrictEqual(old, now)) {
    // Of lists alone: elsewhere what is null is not there.
    found.set(pathText(path), old === null ? "add" : now === null ? "delete" : "update");
  }
}

/** The engine's way to write a path. */
export function pathText(path: Path): string {
  return path
    .map((part, at) => {
      if (typeof part === "number") return `[${part}]`;
      if (/\W/.test(part) || part === "") return `["${part.replaceAll('"', '\\"')}"]`;
      return at === 0 ? part : `.${part}`;
    })
    .join("");
}
