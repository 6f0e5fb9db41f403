/**
 * Fingerprints against the real Nix. It evaluates the edited tree itself, not the host's checked copy of it: the copy leaves
 * out what no input lists, so the tree is the harder test, and `nix run path:./layers#…` builds from it.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { LayersCopy } from "../support/derivations.ts";
import { applyEdit, listEntries } from "../support/edits.ts";
import { type Baseline, makeBaseline, observe, type Observation, table, violations } from "../support/fingerprint-check.ts";
import { addNodesLock, breakingEdits, fileEdits, graphEdits, type LayerEdit, lockEdits, nodesLock, relockEdit } from "../support/layer-edits.ts";
import { testSeed } from "../support/random.ts";
import { EMPTY_STORE, Sandbox } from "../support/sandbox.ts";

const RANDOM_EDITS = 220;
const GRAPH_ROUNDS = 3;

let sandbox: Sandbox;
let copy: LayersCopy;
let baseline: Baseline;
const observations: Observation[] = [];

function planned(seed: string): LayerEdit[] {
  const entries = listEntries(copy.folder);
  return [
    ...fileEdits(seed, entries, RANDOM_EDITS),
    ...breakingEdits(seed, baseline.listed, entries),
    ...lockEdits(seed, entries),
    relockEdit(),
    removeNodes(),
    ...graphEdits(seed, baseline.graph, GRAPH_ROUNDS),
  ];
}

const NODES_LOCK = nodesLock("sample");

/** Takes the optional layer away. */
const removeNodes = (): LayerEdit => ({ kind: "optional", text: `delete ${NODES_LOCK}`, paths: [NODES_LOCK], apply: (layers) => applyEdit(layers, { kind: "delete", path: NODES_LOCK }) });

/** Of a flavor with all layers that it may have. */
async function layersCopy(name: string): Promise<LayersCopy> {
  const made = await LayersCopy.create(sandbox, name);
  addNodesLock(made.folder, "sample");
  return made;
}

/** Two edits at a time, each in a copy of its own. */
async function observeAll(edits: readonly LayerEdit[]): Promise<void> {
  const left = [...edits];
  const work = async (own: LayersCopy) => {
    for (let edit = left.shift(); edit !== undefined; edit = left.shift()) observations.push(await observe(own, baseline, edit));
  };
  await Promise.all([work(copy), work(await layersCopy("second"))]);
}

before(async () => {
  sandbox = await Sandbox.create({ store: EMPTY_STORE });
  copy = await layersCopy("first");
  baseline = await makeBaseline(copy);
});
after(() => sandbox.stop());

test("whatever is edited: other derivations, another fingerprint; no input touched, the same derivations", { timeout: 15 * 60_000 }, async (t) => {
  const seed = testSeed("fingerprints");
  const edits = planned(seed);
  await observeAll(edits);
  t.diagnostic(`seed ${seed} (COMFYUI_TEST_SEED): ${edits.length} edits, ${edits.length * baseline.attrs.length} times a layer compared`);
  for (const line of table(observations).split("\n")) t.diagnostic(line);
  assert.ok(edits.length >= 200);
  assert.deepEqual(violations(observations), []);
});

test("without its file the optional layer is nowhere; the layers below it and their keys do not know it", async () => {
  const { outcomes } = await observe(copy, baseline, removeNodes());
  const changed = { derivation: "changed", key: "changed", touched: true };
  assert.deepEqual(new Map([...outcomes].filter(([, { key }]) => key !== "same")), new Map([["layer7-nodes", { ...changed, derivation: "error" }], ["comfyui", changed]]));
  const { attrs, keys } = await makeBaseline(await LayersCopy.create(sandbox, "without"));
  assert.deepEqual([attrs.length, keys?.size, attrs.includes("layer7-nodes")], [8, 8, false]);
});

test("the executable bit of a file is seen by both", async () => {
  const path = "layer6-app/runtime/comfyui.sh";
  const { outcomes } = await observe(copy, baseline, {
    kind: "chmod",
    text: `chmod +x ${path}`,
    paths: [path],
    apply: (layers) => applyEdit(layers, { kind: "chmod", path, mode: 0o755 }),
  });
  assert.deepEqual(outcomes.get("layer6-app"), { derivation: "changed", key: "changed", touched: true });
});

test("the same check fails for every input that is left out of the key", (t) => {
  for (const input of baseline.listed) {
    const found = violations(observations, input);
    t.diagnostic(`without ${input}: ${found.length} violations${found.length > 0 ? `, such as: ${found[0]}` : ""}`);
    assert.notEqual(found.length, 0, `nothing tells that ${input} is not in the key`);
  }
});

test("a module that reads an unlisted file fails with an error that names the file", async (t) => {
  const module = join(copy.folder, "layer3-pytorch/default.nix");
  const text = readFileSync(module, "utf8");
  writeFileSync(join(copy.folder, "unlisted.nix"), "{ }\n");
  const reads: [string, string][] = [
    ["builtins.readFile ../layer0-base/default.nix", "layer0-base/default.nix"],
    ["import ../unlisted.nix", "unlisted.nix"],
    ['"${../layer0-base/root}"', "layer0-base/root"],
    ["builtins.readDir ../apps", "apps"],
    ["builtins.path { path = ../locks/sample/layer1-python.lock.json; name = \"x\"; }", "locks/sample/layer1-python.lock.json"],
  ];
  for (const [expression, file] of reads) {
    await t.test(expression, async () => {
      writeFileSync(module, text.replace("site =", `programs = [ (builtins.toJSON (${expression})) ];\n  site =`));
      const error = await copy.errorOf("layer3-pytorch");
      assert.match(error, new RegExp(`error: .*-layer3-pytorch-src/${file.replaceAll(".", "\\.")}['"]?:? (does not exist|No such file)`));
    });
  }
  writeFileSync(module, text);
});
