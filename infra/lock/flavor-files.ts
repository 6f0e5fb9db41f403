/** What a flavor is locked from and to, as files: read once, all faults together. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Fault, FaultError, gather, throwFaults } from "../faults.ts";
import { flavorGraph, type LayerGraph } from "../layer-graph.ts";
import { lockedLayers } from "./assignment.ts";
import { type LockedFile, type LockFile, parseLockFile, type System } from "./lock-file.ts";
import { parseRequirements, type Requirements } from "./requirements-file.ts";
import type { Versions } from "./resolve.ts";
import { removeLeftovers } from "./write-files.ts";

export interface FlavorFiles {
  readonly flavor: string;
  /** With the optional layers that are there, or are required something of. */
  readonly graph: LayerGraph;
  readonly requirements: Requirements;
  /** Locks that are there, by layer. */
  readonly locks: ReadonlyMap<string, LockFile>;
}

/** Paths of a flavor's files relative to layers/. */
export const requirementsPath = (flavor: string): string => `flavors/${flavor}/requirements.json`;
export const lockPath = (flavor: string, layer: string): string => `locks/${flavor}/${layer}.lock.json`;

/** Reads a flavor's requirements and locks; throws one FaultError. Sweeps away what a killed run left. */
export function readFlavorFiles(graph: LayerGraph, layersDir: string, flavor: string): FlavorFiles {
  const { files, faults } = readFlavorFilesGently(graph, layersDir, flavor);
  throwFaults(faults);
  return files;
}

/** A flavor's files with other requirements, as text; throws one FaultError with what is wrong in it. */
export function withRequirements(graph: LayerGraph, layersDir: string, files: FlavorFiles, text: string): FlavorFiles {
  const requirements = parseRequirements(text, `layers/${requirementsPath(files.flavor)}`, lockedLayers(graph));
  return { ...files, requirements, graph: ownGraph(graph, layersDir, files.flavor, requirements) };
}

/** The same, with the faults of locks beside those locks that can be read; throws only where there is nothing to lock from. */
export function readFlavorFilesGently(graph: LayerGraph, layersDir: string, flavor: string): { readonly files: FlavorFiles; readonly faults: readonly Fault[] } {
  const path = join(layersDir, requirementsPath(flavor));
  if (graph.flavors[flavor] === undefined || !existsSync(path)) {
    const known = Object.keys(graph.flavors).filter((name) => existsSync(join(layersDir, requirementsPath(name))));
    throw new FaultError([{ code: "LOCK_FLAVOR_UNKNOWN", where: `layers/${requirementsPath(flavor)}`, problem: `there is nothing to lock for a flavor ${flavor}`, found: flavor, expected: known.join(", ") || "a flavor of layers.json with a requirements.json" }]);
  }
  removeLeftovers(join(layersDir, "locks", flavor));
  removeLeftovers(join(layersDir, "flavors", flavor));
  const faults: Fault[] = [];
  const requirements = gather(faults, () => parseRequirements(readFileSync(path, "utf8"), `layers/${requirementsPath(flavor)}`, lockedLayers(graph)));
  if (requirements === undefined) throw new FaultError(faults);
  const own = ownGraph(graph, layersDir, flavor, requirements);
  const locks = lockedLayers(own).flatMap((layer) => {
    const file = lockPath(flavor, layer);
    if (!existsSync(join(layersDir, file))) return [];
    const lock = gather(faults, () => parseLockFile(readFileSync(join(layersDir, file), "utf8"), `layers/${file}`));
    return lock === undefined ? [] : [[layer, lock] as const];
  });
  return { files: { flavor, graph: own, requirements, locks: new Map(locks) }, faults };
}

function ownGraph(graph: LayerGraph, layersDir: string, flavor: string, requirements: Requirements): LayerGraph {
  const wanted = new Set(Object.keys(requirements.layers).map((layer) => lockPath(flavor, layer)));
  return flavorGraph(graph, flavor, (file) => wanted.has(file) || existsSync(join(layersDir, file)));
}

export const entriesIn = (locks: ReadonlyMap<string, LockFile>): LockedFile[] => [...locks.values()].flatMap(({ files }) => files);

/** The locked versions of one system, by name. */
export function lockedVersions(locks: ReadonlyMap<string, LockFile>, system: System): Versions {
  return new Map(entriesIn(locks).filter((entry) => (entry.system ?? system) === system).map(({ name, version }) => [name, version]));
}
