/**
 * The property of fingerprints, checked of one edit after the other: whatever is edited, a layer whose derivations change has
 * another fingerprint, and a layer none of whose inputs is touched keeps its derivations and its fingerprint.
 */
import { FaultError } from "../../infra/faults.ts";
import { fingerprintImage, fingerprintLayers } from "../../infra/fingerprint.ts";
import { readLayerInputs } from "../../infra/input-files.ts";
import type { LayerGraph } from "../../infra/layer-graph.ts";
import { graphOfFlavor, readLayerGraph } from "../../infra/read-plan.ts";
import { type Derivations, IMAGE, type LayersCopy } from "./derivations.ts";
import { covers, expand, type LayerEdit, listedPaths, type RawGraph, readRawGraph } from "./layer-edits.ts";

const SETTINGS = { flavor: "sample", system: "x86_64-linux", compression: "zstd" };

/** Fingerprints by attr, the image's among them; undefined where the program refuses the inputs and runs nothing. */
type Keys = ReadonlyMap<string, string> | undefined;

/** `without`: an input that is left out of the keys, to show that the check would see it. */
function keysOf(layers: string, without?: string): Keys {
  try {
    const graph = graphOfFlavor(readLayerGraph(layers), SETTINGS.flavor, layers);
    const keyed = without === undefined ? graph : leftOut(graph, without);
    const keys = fingerprintLayers(graph, readLayerInputs(keyed, SETTINGS.flavor, layers), SETTINGS);
    return new Map([...keys, [IMAGE, fingerprintImage(graph, keys)]]);
  } catch (error) {
    if (error instanceof FaultError) return undefined;
    throw error;
  }
}

function leftOut(graph: LayerGraph, input: string): LayerGraph {
  const others = (inputs: readonly string[]) => inputs.filter((each) => expand(graph, SETTINGS.flavor, each) !== input);
  return { ...graph, shared: others(graph.shared), layers: graph.layers.map((layer) => ({ ...layer, inputs: others(layer.inputs) })) };
}

/** What one edit did to one layer. */
interface Outcome {
  readonly derivation: "same" | "changed" | "error";
  readonly key: "same" | "changed" | "refused";
  /** Whether the edit touches anything that the layer's entry, or that of a layer it is on, lists. */
  readonly touched: boolean;
}

export interface Observation {
  readonly edit: LayerEdit;
  readonly outcomes: ReadonlyMap<string, Outcome>;
  /** For each input that the edit touches, the layers' keys if that input were left out of them. */
  readonly without: ReadonlyMap<string, ReadonlyMap<string, Outcome["key"]>>;
}

/** The property, said of one layer after one edit; nothing where it holds. */
function violation({ derivation, key, touched }: Outcome): string | undefined {
  if (derivation !== "same" && key === "same") return `its derivation: ${derivation}, its fingerprint: the same`;
  if (!touched && derivation !== "same") return `its derivation: ${derivation}, though none of its inputs was touched`;
  if (!touched && key === "changed") return "another fingerprint, though none of its inputs was touched";
  return undefined;
}

export function violations(observations: readonly Observation[], without?: string): string[] {
  return observations.flatMap(({ edit, outcomes, without: mutated }) =>
    [...outcomes].flatMap(([attr, outcome]) => {
      const key = without === undefined ? outcome.key : (mutated.get(without)?.get(attr) ?? outcome.key);
      const problem = violation({ ...outcome, key });
      return problem === undefined ? [] : [`${edit.text}: ${attr}: ${problem}`];
    }),
  );
}

/** Which layers an edit touches, by the lists in layers.json alone: a reading of its own, not the program's. */
function touchedLayers(was: RawGraph, is: RawGraph | undefined, paths: readonly string[]): (attr: string) => boolean {
  const touches = (input: string) => paths.some((path) => covers(expand(was, SETTINGS.flavor, input), path));
  return (attr) => {
    if (is === undefined) return true;
    const [before, after] = [readBy(was, attr), readBy(is, attr)];
    return JSON.stringify(before) !== JSON.stringify(after) || before.shared.some(touches) || before.layers.some(({ inputs }) => inputs.some(touches));
  };
}

/** The part of layers.json that is about a layer: its entry and those of the layers it is on, in their order. */
function readBy({ flavors, shared, layers }: RawGraph, attr: string) {
  const names = new Set(attr === IMAGE ? layers.map((layer) => layer.attr) : [attr]);
  for (const layer of layers.toReversed()) if (names.has(layer.attr)) for (const name of layer.on) names.add(name);
  const entries = layers.filter((layer) => names.has(layer.attr)).map(({ after: _, ...entry }) => entry);
  return { flavor: flavors[SETTINGS.flavor], shared, layers: entries };
}

/** The graph after an edit; nothing where layers.json is gone, no JSON, or another file's JSON. */
function rawGraph(layers: string): RawGraph | undefined {
  try {
    const graph = readRawGraph(layers);
    return Array.isArray(graph.layers) ? graph : undefined;
  } catch {
    return undefined;
  }
}

const compare = (now: Keys, before: Keys, attr: string): Outcome["key"] =>
  now === undefined ? "refused" : now.get(attr) === before?.get(attr) ? "same" : "changed";

export interface Baseline {
  readonly graph: RawGraph;
  readonly listed: readonly string[];
  readonly attrs: readonly string[];
  readonly keys: Keys;
  readonly keysWithout: ReadonlyMap<string, Keys>;
  readonly derivations: Derivations;
}

/** Keys and derivations of the copy as it is. */
export async function makeBaseline(copy: LayersCopy): Promise<Baseline> {
  const graph = readRawGraph(copy.folder);
  const listed = listedPaths(graph, SETTINGS.flavor);
  const keys = keysOf(copy.folder);
  if (keys === undefined) throw new Error("the program refuses the copy as it is");
  const attrs = [...keys.keys()];
  const derivations = await copy.derivations(attrs);
  const failing = attrs.filter((attr) => derivations.get(attr) === undefined);
  if (failing.length > 0) throw new Error(`these cannot be evaluated: ${failing.join(", ")}`);
  return { graph, listed, attrs, derivations, keys, keysWithout: new Map(listed.map((input) => [input, keysOf(copy.folder, input)])) };
}

export async function observe(copy: LayersCopy, base: Baseline, edit: LayerEdit): Promise<Observation> {
  const undo = edit.apply(copy.folder);
  try {
    const derivations = await copy.derivations(base.attrs);
    const keys = keysOf(copy.folder);
    const touched = touchedLayers(base.graph, rawGraph(copy.folder), edit.paths);
    const outcomes = base.attrs.map((attr): [string, Outcome] => {
      const [now, then] = [derivations.get(attr), base.derivations.get(attr)];
      return [attr, { derivation: now === undefined ? "error" : now === then ? "same" : "changed", key: compare(keys, base.keys, attr), touched: touched(attr) }];
    });
    const without = base.listed.filter((input) => edit.paths.some((path) => covers(input, path))).map((input): [string, Map<string, Outcome["key"]>] => {
      const mutated = keysOf(copy.folder, input);
      return [input, new Map(base.attrs.map((attr) => [attr, compare(mutated, base.keysWithout.get(input), attr)]))];
    });
    return { edit, outcomes: new Map(outcomes), without: new Map(without) };
  } finally {
    undo();
  }
}

/** How often each kind of edit had each outcome, counted over layers. */
export function table(observations: readonly Observation[]): string {
  const columns = ["derivation", "fingerprint", "touched"];
  const lines = [...Map.groupBy(observations, ({ edit }) => edit.kind)].flatMap(([kind, some]) => {
    const all = some.flatMap(({ outcomes }) => [...outcomes.values()]);
    const counts = Map.groupBy(all, ({ derivation, key, touched }) => [derivation, key, touched ? "yes" : "no"].map((word, at) => `${columns[at]} ${word}`).join(", "));
    return [`${kind}: ${some.length} edits`, ...[...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([outcome, list]) => `  ${String(list.length).padStart(5)}  ${outcome}`)];
  });
  return lines.join("\n");
}
