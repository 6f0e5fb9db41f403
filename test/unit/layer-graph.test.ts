import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { flavorGraph, inputPaths, type Layer, onClosure, parseLayerGraph } from "../../infra/layer-graph.ts";
import { readPlan } from "../../infra/read-plan.ts";
import { assertFault, faultsOf, type FaultRow } from "./faults.ts";

const layer = (attr: string, more: Partial<Layer> = {}): Layer => ({ attr, inputs: [`${attr}/`], on: [], after: [], blob: true, smoke: [], ...more });
const graphText = (layers: unknown, more: object = {}) => JSON.stringify({ flavors: { sample: { packageSet: "debian" } }, shared: ["lib/"], layers, ...more });

test("the project's own graph: seven layers, each after those it waits for, and one that a flavor may have", () => {
  const whole = parseLayerGraph(readFileSync(new URL("../../layers/layers.json", import.meta.url), "utf8"));
  const graph = flavorGraph(whole, "sample", () => false);
  assert.deepEqual(graph.layers.map(({ attr }) => attr), ["layer0-base", "layer1-python", "layer2-wheels", "layer3-pytorch", "layer4-deps", "layer5-perf", "layer6-app"]);
  assert.deepEqual(onClosure(graph, "layer4-deps").map(({ attr }) => attr), ["layer0-base", "layer1-python", "layer3-pytorch", "layer4-deps"]);
  assert.deepEqual(graph.layers.filter(({ blob }) => !blob).map(({ attr }) => attr), ["layer2-wheels"]);
  assert.deepEqual(whole.layers.slice(graph.layers.length).map(({ attr }) => attr), ["layer7-nodes"]);
});

test("an optional layer is there where its file is, with the flavor's name filled in", () => {
  const file = "locks/{flavor}/b.json";
  const graph = parseLayerGraph(graphText([layer("a"), layer("b", { inputs: ["b/", file], optional: file, on: ["a"] }), layer("c", { inputs: [file], optional: file, on: ["b"] })]));
  const layersOf = (...present: string[]) => flavorGraph(graph, "sample", (path) => present.includes(path)).layers.map(({ attr }) => attr);
  assert.deepEqual(layersOf("locks/sample/b.json"), ["a", "b", "c"]);
  assert.deepEqual(layersOf("locks/other/b.json", file), ["a"]);
});

test("placeholders are filled in", () => {
  const graph = parseLayerGraph(graphText([layer("a", { inputs: ["locks/{flavor}/a.json", "package-sets/{packageSet}/"] })]));
  assert.deepEqual(inputPaths(graph, graph.layers[0] as Layer, "sample"), ["lib/", "locks/sample/a.json", "package-sets/debian/"]);
});

const bad: FaultRow<string>[] = [
  { code: "GRAPH_JSON", input: "{ layers: }", where: "layers.json", says: ["JSON"] },
  { code: "GRAPH_SCHEMA", input: graphText([{ ...layer("a"), blob: "yes" }]), where: "layers.json: layers[0].blob", says: ['found:    "yes"', "expected: boolean"] },
  { code: "GRAPH_SCHEMA", input: graphText([{ ...layer("a"), triggers: [] }]), where: "layers.json: layers[0].triggers", says: ["there is no such key"] },
  { code: "GRAPH_SCHEMA", input: graphText([layer("Layer 0")]), where: "layers.json: layers[0].attr", says: ["Layer 0", "lower-case words"] },
  { code: "GRAPH_DUPLICATE_ATTR", input: graphText([layer("a"), layer("b"), layer("a")]), where: "layers.json", says: ["two layers have the attr a", "layers[0] and layers[2]"] },
  { code: "GRAPH_UNKNOWN_LAYER", input: graphText([layer("a", { on: ["layer9"] })]), where: "layers.json: a.on", says: ["found:    layer9", "expected: a"] },
  { code: "GRAPH_CYCLE", input: graphText([layer("x"), layer("a", { on: ["c"] }), layer("b", { on: ["a"] }), layer("c", { after: ["b"] })]), where: "layers.json", says: ["a -> c -> b -> a"] },
  { code: "GRAPH_CYCLE", input: graphText([layer("a", { on: ["a"] })]), where: "layers.json", says: ["a -> a"] },
  { code: "GRAPH_ORDER", input: graphText([layer("b", { after: ["a"] }), layer("a")]), where: "layers.json: b", says: ["b stands before a", "layers[0] before layers[1]"] },
  { code: "GRAPH_ON_WITHOUT_BLOB", input: graphText([layer("w", { blob: false }), layer("a", { on: ["w"] })]), where: "layers.json: a.on", says: ["w has no blob"] },
  { code: "GRAPH_PLACEHOLDER", input: graphText([layer("a", { inputs: ["locks/{flavour}.json"] })]), where: "layers.json: a", says: ["found:    {flavour}", "{flavor} or {packageSet}"] },
  { code: "GRAPH_OPTIONAL", input: graphText([layer("a", { optional: "a/lock.json" })]), where: "layers.json: a.optional", says: ["found:    a/lock.json", "expected: one of a/"] },
  { code: "GRAPH_ON_OPTIONAL", input: graphText([layer("a", { optional: "a/" }), layer("b", { after: ["a"] })]), where: "layers.json: b", says: ["b waits for a", "found:    a layer that is always there", 'expected: "optional": "a/"'] },
  { code: "GRAPH_SMOKE", input: graphText([layer("a", { smoke: { other: ["true"] } })]), where: "layers.json: a.smoke", says: ["found:    other", "expected: sample"] },
  { code: "GRAPH_TORCH", input: graphText([layer("a")], { flavors: { sample: { packageSet: "debian", torch: "nixpkgs" } } }), where: "layers.json: flavors.sample", says: ["the package set debian has no PyTorch"] },
  { code: "GRAPH_INPUT_OUTSIDE", input: graphText([layer("a", { inputs: ["../infra/"] })]), where: "layers.json: a", says: ["found:    ../infra/"] },
  { code: "GRAPH_INPUT_OUTSIDE", input: graphText([layer("a")], { shared: ["/etc/passwd"] }), where: "layers.json: shared", says: ["found:    /etc/passwd"] },
  { code: "GRAPH_INPUT_NAME", input: graphText([layer("a", { inputs: ["a b.nix"] })]), where: "layers.json: a", says: ['"a b.nix"'] },
];
for (const row of bad) test(`${row.code} at ${row.where}`, () => assertFault(row, parseLayerGraph));

test("GRAPH_UNREADABLE at layers.json", () =>
  assertFault({ code: "GRAPH_UNREADABLE", input: "/nowhere", where: "layers.json", says: ["ENOENT"] }, (folder) => readPlan(folder, {}, () => false)));

test("CONFIG_SYSTEM_FLAVOR: a system that the flavor's files are not locked for", () => {
  const layersDir = join(import.meta.dirname, "../../layers");
  const systems = ["x86_64-linux", "aarch64-linux"];
  assertFault({ code: "CONFIG_SYSTEM_FLAVOR", input: { systems }, where: "comfyui:systems[1]", says: ["the flavor sample has no files for this system", "expected: x86_64-linux\n"] }, (input) => readPlan(layersDir, input, () => false));
  assert.equal(readPlan(layersDir, { systems, flavor: { kind: "cu130" } }, () => false).settings.system, "x86_64-linux");
});

test("faults of the graph and of the configuration are reported together", () => {
  const faults = faultsOf(() => readPlan("/nowhere", { flavour: {} }, () => false));
  assert.deepEqual(faults.map(({ code }) => code), ["GRAPH_UNREADABLE", "CONFIG_UNKNOWN_KEY"]);
});

test("all faults of a graph are reported at once", () => {
  const faults = faultsOf(() => parseLayerGraph(graphText([layer("a", { on: ["b"], inputs: ["/x"] }), layer("a", { after: ["z"] })])));
  assert.deepEqual(faults.map(({ code }) => code).sort(), ["GRAPH_DUPLICATE_ATTR", "GRAPH_INPUT_OUTSIDE", "GRAPH_UNKNOWN_LAYER", "GRAPH_UNKNOWN_LAYER"]);
});
