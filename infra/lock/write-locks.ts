/** The end of every command that changes something: files written, and in words what that means. */
import { join, relative } from "node:path";
import type { LayerGraph } from "../layer-graph.ts";
import { type Style, table } from "../table.ts";
import { type Change, changedLocks, type Locks, lockChanges, rebuiltLayers } from "./changes.ts";
import { type FlavorFiles, lockPath } from "./flavor-files.ts";
import { formatLockFile, type LockFile } from "./lock-file.ts";
import { writeFiles } from "./write-files.ts";

export interface Outcome {
  readonly locks: Locks;
  /** Other files that change with them, as texts by path relative to layers/. */
  readonly others?: ReadonlyMap<string, string>;
  /** What else is newer, of which every layer is made. */
  readonly everywhere?: readonly Omit<Change, "layer">[];
}

export interface Place {
  readonly layersDir: string;
  readonly print: (text: string) => void;
  readonly style: Style;
}

/** Writes all or nothing, then says what changed. An optional layer that nothing is left of goes away with its lock. */
export function writeLocks({ flavor, graph, locks }: FlavorFiles, { locks: now, others = new Map(), everywhere = [] }: Outcome, { layersDir, print, style }: Place): void {
  const changed = changedLocks(locks, now);
  const away = changed.filter((layer) => isOptional(graph, layer) && now.get(layer)?.files.length === 0);
  const texts = changed.filter((layer) => !away.includes(layer)).map((layer) => [lockPath(flavor, layer), formatLockFile(now.get(layer) as LockFile)] as const);
  const all = new Map([...texts, ...others]);
  const written = writeFiles(new Map([...all].map(([path, text]) => [join(layersDir, path), text])), away.map((layer) => join(layersDir, lockPath(flavor, layer))));
  const rows = [...everywhere.map((change) => ({ ...change, layer: "all" })), ...lockChanges(locks, now)];
  if (rows.length > 0) print(table([["NAME", "OLD", "NEW", "LAYER"].map(style.bold), ...rows.map(({ name, from, to, layer }) => [name, from || "-", to || "-", layer])]));
  if (changed.length === 0 && written.length === 0) return print(`Nothing to do: the locks of ${flavor} are what its requirements give.`);
  const rebuilt = everywhere.length > 0 ? graph.layers.map(({ attr }) => attr) : rebuiltLayers(graph, flavor, changed);
  print(`Written: ${written.map((path) => relative(layersDir, path)).join(", ")}`);
  print(`Rebuilt by the next \`pulumi up\`: ${rebuilt.filter((layer) => !away.includes(layer)).join(", ") || "nothing"}`);
  if (away.length > 0) print(`Taken away by the next \`pulumi up\`: ${away.join(", ")}`);
}

function isOptional(graph: LayerGraph, layer: string): boolean {
  return graph.layers.find(({ attr }) => attr === layer)?.optional !== undefined;
}
