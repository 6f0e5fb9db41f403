/** Asks the engine what `up` would do to a stack, and the stack's state what that took the last time. */
import { join } from "node:path";
import { blobsSize, imageAnswer, layerAnswer } from "../answers.ts";
import { configInput, configSchema } from "../config.ts";
import { readState, type StackState } from "../ops/state.ts";
import { findPieces } from "../pulumi/pieces.ts";
import { graphOfFlavor, readLayerGraph } from "../read-plan.ts";
import { layerCommands } from "../system-names.ts";
import { type Changes, changesOf, type LastTime, type LayerNode, PUBLISH } from "./changes.ts";
import { runPreview } from "./run.ts";
import type { Preview } from "./steps.ts";

export async function readChanges(root: string, stack: string): Promise<Changes> {
  const [preview, engine] = await Promise.all([runPreview(root, stack), findPieces()]);
  // A preview that failed may have failed for want of these.
  if (preview.errors.length > 0) return changesOf({ stack, engine, preview, layers: [], last: new Map() });
  const layers = layerNodes(join(root, "layers"), preview);
  return changesOf({ stack, engine, preview, layers, last: lastTimes(layers, await readState(root, stack)) });
}

function layerNodes(layersDir: string, { config }: Preview): LayerNode[] {
  const input = configInput(config);
  const { kind } = configSchema.shape.flavor.parse(input["flavor"]);
  const graph = graphOfFlavor(readLayerGraph(layersDir), kind, layersDir);
  const commands = layerCommands(graph, configSchema.shape.systems.parse(input["systems"]));
  return commands.map(({ layer, name, label, waitsFor }) => ({ layer: label, resource: name, waitsFor, blob: layer.blob }));
}

function lastTimes(layers: readonly LayerNode[], state: StackState): Map<string, LastTime> {
  const last = new Map<string, LastTime>();
  for (const { resource } of layers) {
    const answer = state.answer(resource, layerAnswer);
    if (answer !== undefined) last.set(resource, { seconds: answer.seconds, bytes: blobsSize(answer) });
  }
  const image = state.answer(PUBLISH, imageAnswer);
  return image === undefined ? last : last.set(PUBLISH, { seconds: image.seconds, bytes: image.size });
}
