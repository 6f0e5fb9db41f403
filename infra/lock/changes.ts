import { inputPaths, type LayerGraph, onClosure } from "../layer-graph.ts";
import { lockPath } from "./flavor-files.ts";
import { formatLockFile, type LockedFile, type LockFile } from "./lock-file.ts";

export type Locks = ReadonlyMap<string, LockFile>;

/** One distribution that is not what it was. */
export interface Change {
  readonly name: string;
  /** What was locked, and what is: versions, or what else differs. Empty: nothing. */
  readonly from: string;
  readonly to: string;
  /** The layer it is in now, or was in. */
  readonly layer: string;
}

interface Place {
  readonly layer: string;
  readonly entry: LockedFile;
}

function places(locks: Locks): ReadonlyMap<string, Place[]> {
  return Map.groupBy([...locks].flatMap(([layer, { files }]) => files.map((entry): Place => ({ layer, entry }))), ({ entry }) => entry.name);
}

/** What differs between two states of a flavor's locks, by name. */
export function lockChanges(before: Locks, after: Locks): Change[] {
  const [old, now] = [places(before), places(after)];
  return [...new Set([...old.keys(), ...now.keys()])].sort().flatMap((name) => change(name, old.get(name) ?? [], now.get(name) ?? []));
}

/** Versions first; where they are the same, the layer; then the files. A size that is stated now is no change. */
const aspects: readonly ((place: Place) => string)[] = [({ entry }) => entry.version, ({ entry, layer }) => `${entry.version} in ${layer}`, ({ entry }) => `${entry.version} as ${entry.file}`, ({ entry }) => `${entry.version} with ${entry.hash}`];

function change(name: string, old: readonly Place[], now: readonly Place[]): Change[] {
  for (const aspect of aspects) {
    const [from, to] = [old, now].map((all) => [...new Set(all.map(aspect))].sort().join(", ")) as [string, string];
    if (from !== to) return [{ name, from, to, layer: (now[0] ?? old[0])?.layer as string }];
  }
  return [];
}

/** The layers whose lock has another text than before. */
export function changedLocks(before: Locks, after: Locks): string[] {
  return [...after].filter(([layer, lock]) => {
    const old = before.get(layer);
    return old === undefined || formatLockFile(old) !== formatLockFile(lock);
  }).map(([layer]) => layer);
}

/** The layers that are built again when these locks change: those that read one, and all that are on such a layer. */
export function rebuiltLayers(graph: LayerGraph, flavor: string, changed: readonly string[]): string[] {
  const paths = new Set(changed.map((layer) => lockPath(flavor, layer)));
  const touched = new Set(graph.layers.filter((layer) => inputPaths(graph, layer, flavor).some((path) => paths.has(path))).map(({ attr }) => attr));
  return graph.layers.filter(({ attr }) => onClosure(graph, attr).some((layer) => touched.has(layer.attr))).map(({ attr }) => attr);
}
