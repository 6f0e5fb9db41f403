import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseConfig } from "../../infra/config.ts";
import { withoutAws } from "../../infra/config/aws-parts.ts";
import { faultTable } from "../../infra/faults.ts";
import type { LayerInputs } from "../../infra/input-files.ts";
import type { Layer } from "../../infra/layer-graph.ts";
import { parseLayerGraph } from "../../infra/layer-graph.ts";
import { hostRequest, imageTag, layerRequest, makePlan, openCacheRequest, plansBySystem, protocol, publishRequest } from "../../infra/request.ts";

const project = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const graph = parseLayerGraph(project("layers/layers.json"));
const inputs: LayerInputs = new Map(graph.layers.map(({ attr }) => [attr, { "lib/a.nix": "a".repeat(64), [`${attr}/default.nix`]: `${"b".repeat(64)}+x` }]));
const plan = makePlan(graph, inputs, withoutAws(parseConfig({}, { isSecret: () => true })));
const requestOf = (attr: string) => JSON.parse(layerRequest(plan, graph.layers.find((layer) => layer.attr === attr) as Layer));

test("a layer's request names its own files and the keys it is on", () => {
  const request = requestOf("layer3-pytorch");
  assert.deepEqual(request.inputs, { "lib/a.nix": "aaaaaaaaaaaa", "layer3-pytorch/default.nix": "bbbbbbbbbbbb+x" });
  assert.deepEqual(Object.keys(request.on), ["layer1-python"]);
  assert.equal(request.on["layer1-python"], requestOf("layer1-python").fingerprint);
});

test("files and entries of the layers below are in the request as one word each", () => {
  const base = requestOf("layer3-pytorch");
  const changed = (attr: string) => {
    const others = new Map(inputs).set(attr, { ...inputs.get(attr), [`${attr}/more.nix`]: "c".repeat(64) });
    const layer = graph.layers.find((each) => each.attr === "layer3-pytorch") as Layer;
    return JSON.parse(layerRequest(makePlan(graph, others, withoutAws(parseConfig({}, { isSecret: () => true }))), layer));
  };
  assert.match(base.below, /^[0-9a-f]{12}$/);
  assert.notEqual(changed("layer1-python").below, base.below);
  assert.equal(changed("layer4-deps").below, base.below);
  assert.equal(changed("layer3-pytorch").below, base.below);
});

test("the publish request names the image's blobs, and nothing of a layer without one", () => {
  const request = JSON.parse(publishRequest(plan));
  assert.deepEqual(Object.keys(request.layers), graph.layers.filter(({ blob }) => blob).map(({ attr }) => attr));
  assert.match(request.tag, /^[0-9a-f]{12}$/);
});

const planFor = (...systems: string[]) => makePlan(graph, inputs, withoutAws(parseConfig({ systems }, { isSecret: () => true })));

test("a further system changes no layer's request of the first", () => {
  const [first, second] = plansBySystem(planFor("x86_64-linux", "aarch64-linux"));
  for (const layer of graph.layers) {
    assert.equal(layerRequest(first as typeof plan, layer), layerRequest(plan, layer));
    const { system, fingerprint } = JSON.parse(layerRequest(second as typeof plan, layer));
    assert.equal(system, "aarch64-linux");
    assert.notEqual(fingerprint, requestOf(layer.attr).fingerprint);
  }
});

test("several systems are published as one: their layers by system, and a tag that is none of theirs, in whatever order they are given", () => {
  const [one, other] = [planFor("x86_64-linux", "aarch64-linux"), planFor("aarch64-linux", "x86_64-linux")];
  const request = JSON.parse(publishRequest(one));
  assert.equal(publishRequest(other), publishRequest(one));
  assert.deepEqual(["system" in request, "layers" in request], [false, false]);
  assert.deepEqual(request.images["x86_64-linux"], JSON.parse(publishRequest(plan)).layers);
  assert.deepEqual(request.images["aarch64-linux"], JSON.parse(publishRequest(planFor("aarch64-linux"))).layers);
  assert.equal(new Set([imageTag(one), imageTag(plan), imageTag(planFor("aarch64-linux"))]).size, 3);
});

test("the host is asked about the further systems, where there are some", () => {
  const { settings } = plan;
  assert.deepEqual(JSON.parse(hostRequest(planFor("x86_64-linux", "aarch64-linux").config, settings)).furtherSystems, ["aarch64-linux"]);
  assert.ok(!("furtherSystems" in JSON.parse(hostRequest(plan.config, settings))));
});

test("nothing in a request depends on the machine, the folder or the time", () => {
  const text = [...graph.layers.map((layer) => layerRequest(plan, layer)), publishRequest(plan)].join("\n");
  assert.ok(!text.includes(process.cwd()));
  assert.doesNotMatch(text, /\d{4}-\d\d-\d\d|\d\d:\d\d/);
});

test("a cache's request holds its key, and nothing of AWS where the stack has nothing there", () => {
  const signingKey = "team-1:hZsDmTbybu5xTHDep/jHpQyUksk9FMxU+i1lSbG5waw2a4oOi3T/Y2ijjsVURUyCEhPRM3XmIKiPA5WSY2peFw==";
  const host = { host: "cache.example", hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKjH2t3tStxajhuOlJszOQxdaJqa6pGHJcEo4fnS05sh" };
  const config = withoutAws(parseConfig({ binaryCache: { kind: "nix-serve", name: "team", signingKey, host } }, { isSecret: () => true }));
  assert.equal(
    openCacheRequest(config, "a"),
    `{"cache":{"auth":null,"kind":"nix-serve","name":"team","onFailure":"fail","publicKey":"team-1:NmuKDot0/2Noo47FVEVMghIT0TN15iCojwOVkmNqXhc=","push":{"host":"cache.example","hostKey":"${host.hostKey}","port":22,"user":"comfyui-push"},"signingKey":"${signingKey}","trusted":[],"url":"http://cache.example"},"protocol":3,"stack":"a","substituters":[]}`,
  );
});

test("the host scripts read the protocol that the program writes", () => {
  assert.match(project("infra/hosts/common.sh"), new RegExp(`^readonly PROTOCOL=${protocol}$`, "m"));
});

test("every code of a script is in the table of faults, and every code of the table is somewhere in the code", () => {
  const sources = ["infra", "layers/layer6-app/runtime"].flatMap((folder) => readdirSync(new URL(`../../${folder}`, import.meta.url), { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`));
  const text = sources.filter((file) => /\.(sh|ts|py)$/.test(file) && file !== "infra/faults.ts").map(project).join("\n");
  const used = new Set([...text.matchAll(/(?:\b(?:fail|problem|cache_outage) |=\()([A-Z]+_[A-Z_]+)\b|warning\[([A-Z]+_[A-Z_]+)\]|"([A-Z]+_[A-Z_]+)"/g)].map(([, ended, warned, typescript]) => ended ?? warned ?? typescript));
  // Of a repository on GitHub, not of ours.
  for (const variable of ["AWS_PREVIEW_ROLE", "AWS_UP_ROLE"]) used.delete(variable);
  const family = (code: string | undefined) => code?.split("_")[0];
  const families = new Set(Object.keys(faultTable).map(family));
  assert.deepEqual([...used].filter((code) => families.has(family(code))).sort(), Object.keys(faultTable).sort());
});
