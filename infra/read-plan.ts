import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { parseConfig, type StackConfig } from "./config.ts";
import { type Fault, FaultError, gather } from "./faults.ts";
import { readLayerInputs } from "./input-files.ts";
import { flavorGraph, type LayerGraph, parseLayerGraph } from "./layer-graph.ts";
import { makePlan, type Plan } from "./request.ts";

/** Reads everything that decides what a stack does: the graph, the configuration, every input file. Throws one FaultError. */
export function readPlan(layersDir: string, configInput: Record<string, unknown>, isSecret: (section: string) => boolean): Plan<StackConfig> {
  const faults: Fault[] = [];
  const whole = gather(faults, () => readLayerGraph(layersDir));
  const config = gather(faults, () => parseConfig(configInput, { flavors: whole && Object.keys(whole.flavors), isSecret }));
  faults.push(...(config ? unlockedSystems(config, layersDir) : []));
  const graph = whole && config && graphOfFlavor(whole, config.flavor.kind, layersDir);
  const inputs = graph && config && gather(faults, () => readLayerInputs(graph, config.flavor.kind, layersDir));
  if (graph && config && inputs && faults.length === 0) return makePlan(graph, inputs, config);
  throw new FaultError(faults);
}

const requirements = z.object({ systems: z.record(z.string(), z.unknown()) });

/** The systems that a flavor is locked for; nothing where its requirements cannot be read, which is the lock tool's to say. */
function lockedSystems(flavor: string, layersDir: string): string[] | undefined {
  try {
    return Object.keys(requirements.parse(JSON.parse(readFileSync(join(layersDir, `flavors/${flavor}/requirements.json`), "utf8"))).systems);
  } catch {
    return undefined;
  }
}

function unlockedSystems({ flavor: { kind }, systems }: StackConfig, layersDir: string): Fault[] {
  const locked = lockedSystems(kind, layersDir);
  if (locked === undefined) return [];
  return systems.flatMap((system, at): Fault[] =>
    locked.includes(system) ? [] : [{ code: "CONFIG_SYSTEM_FLAVOR", where: `comfyui:systems[${at}]`, problem: `the flavor ${kind} has no files for this system`, found: system, expected: locked.join(" or ") }],
  );
}

/** What the folder says of the layers that are optional. A link counts as there: it is an input that cannot be used, not none. */
export function graphOfFlavor(graph: LayerGraph, flavor: string, layersDir: string): LayerGraph {
  return flavorGraph(graph, flavor, (path) => lstatSync(join(layersDir, path), { throwIfNoEntry: false }) !== undefined);
}

/** Reads and checks layers.json; throws one FaultError. */
export function readLayerGraph(layersDir: string): LayerGraph {
  let text: string;
  try {
    text = readFileSync(join(layersDir, "layers.json"), "utf8");
  } catch (error) {
    throw new FaultError([{ code: "GRAPH_UNREADABLE", where: "layers.json", problem: (error as Error).message }]);
  }
  return parseLayerGraph(text);
}
