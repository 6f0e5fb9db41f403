/** What a preview means: from the JSON that the engine writes to what runs, why, how long, and what else changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyChange, type LastTime, type LayerNode, PUBLISH } from "../../infra/preview/changes.ts";
import { reasonsOf } from "../../infra/preview/reasons.ts";
import { parsePreview, type Row, UNKNOWN } from "../../infra/preview/steps.ts";
import { base, chain, changes, COMMAND, previewOf, type Request, resourceStep, step, took } from "../support/synthetic-preview.ts";

const rowOf = (after: Request, more: object = {}) => previewOf(step("comfyui-x", "update", base, { ...base, ...after }, more)).rows.get("comfyui-x") as Row;
const none = { files: [], below: [], settings: [] };

test("reasons: files by what happened to them, layers below, settings; never what follows from these", () => {
  assert.deepEqual(reasonsOf(rowOf({ fingerprint: "z", below: "z", inputs: { "lib/a.nix": "2", "new.nix": "1" } })), {
    ...none,
    files: [{ file: "lib/a.nix", how: "changed", old: "1234567890ab", new: "2" }, { file: "new.nix", how: "added", new: "1" }, { file: "x.json", how: "removed", old: "1" }],
  });
  assert.deepEqual(reasonsOf(rowOf({ fingerprint: "z", below: "z", on: { "layer0-base": "z" } })), { ...none, below: ["layer0-base"] });
  assert.deepEqual(reasonsOf(rowOf({ graph: "z", compression: "gzip", cache: { kind: "directory", path: "y" } }, { diffReasons: ["stdin", "create"] })), {
    ...none,
    settings: ["cache.path", "compression", "layers.json", "create"],
  });
  const publish = { layers: { "layer6-app": "1" }, registry: { kind: "registry", repository: "a" }, tag: "1" };
  const { rows } = previewOf(step(PUBLISH, "update", publish, { layers: { "layer6-app": "2" }, registry: { kind: "registry", repository: "b" }, tag: "2" }));
  assert.deepEqual(reasonsOf(rows.get(PUBLISH) as Row), { ...none, below: ["layer6-app"], settings: ["registry.repository"] });
});

test("of several systems the layers below are named with theirs; a system that comes is a setting, and may send anything", () => {
  const images = { "aarch64-linux": { "layer6-app": "1" }, "x86_64-linux": { "layer6-app": "1" } };
  const publish = (before: Request, after: Request) => changes([step(PUBLISH, "update", before, after)], chain("layer6-app (x86_64-linux)", "layer6-app (aarch64-linux)")).publish;
  const edited = publish({ images, tag: "1" }, { images: { ...images, "aarch64-linux": { "layer6-app": "2" } }, tag: "2" });
  assert.deepEqual([edited?.because, edited?.sends.layers, edited?.sends.everything], [{ ...none, below: ["layer6-app (aarch64-linux)"] }, ["layer6-app (aarch64-linux)"], false]);
  const more = publish({ layers: { "layer6-app": "1" }, system: "x86_64-linux", tag: "1" }, { images, tag: "2" });
  assert.deepEqual([more?.because, more?.sends.everything], [{ ...none, settings: ["systems", "system"] }, true]);
});

test("reasons of what is no request, a secret, or known only during up", () => {
  const reasons = (before: unknown, after: unknown) => {
    const state = (stdin: unknown) => ({ type: COMMAND, custom: true, inputs: { stdin } });
    const row = previewOf({ op: "update", urn: "urn:pulumi:team::comfyui::x::y", oldState: state(before), newState: state(after), diffReasons: ["stdin"] }).rows.get("y") as Row;
    return [reasonsOf(row).settings, row.uncertain];
  };
  assert.deepEqual(reasons("set -e\n", "set -eu\n"), [["script"], false]);
  assert.deepEqual(reasons("[secret]", "[secret]"), [["input, which is secret"], false]);
  assert.deepEqual(reasons("set -e\n", UNKNOWN), [["input known only during up"], true]);
});

test("a layer that runs, the one that it takes along, the one that stays; the publish and what it sends", () => {
  const layers = chain("layer0-base", "layer1-python", "layer3-pytorch");
  const publish = (third: string) => ({ tag: third, layers: { "layer0-base": "1", "layer1-python": third, "layer3-pytorch": third } });
  const all = changes(
    [
      step("comfyui-layer1-python", "update", base, { ...base, inputs: { ...(base["inputs"] as Request), "x.json": "2" } }),
      step("comfyui-layer3-pytorch", "update", base, { ...base, on: { "layer0-base": "z" } }),
      step(PUBLISH, "update", publish("1"), publish("2")),
    ],
    layers,
    { "comfyui-layer0-base": took(100), "comfyui-layer1-python": took(20), "comfyui-layer3-pytorch": took(30), [PUBLISH]: took(4) },
  );
  assert.deepEqual(all.layers.map(({ layer, runs, effect, because }) => [layer, runs, effect, because.files.map(({ file }) => file), because.below]), [
    ["layer0-base", false, "unchanged", [], []],
    ["layer1-python", true, "runs", ["x.json"], []],
    ["layer3-pytorch", true, "runs", [], ["layer0-base"]],
  ]);
  assert.deepEqual(all.publish?.sends, { everything: false, layers: ["layer1-python", "layer3-pytorch"], bytes: 50_000_000 });
  assert.deepEqual(all.expected, { seconds: 54, atLeast: false, path: ["layer1-python", "layer3-pytorch", "publish"] });
  assert.deepEqual(all.others, []);
});

test("what a publish sends: everything for the first time and to another registry, nothing where no blob changed, unknown where a layer never ran", () => {
  const publish = { layers: { "layer0-base": "1", "layer1-python": "1" }, registry: { path: "a" }, cache: { path: "a" } };
  const sends = (one: object, last: Readonly<Record<string, LastTime>> = { "comfyui-layer0-base": took(2), "comfyui-layer1-python": took(3) }) => changes([one], undefined, last).publish?.sends;
  const all = ["layer0-base", "layer1-python"];
  assert.deepEqual(sends(step(PUBLISH, "create", undefined, publish)), { everything: true, layers: all, bytes: 5_000_000 });
  assert.deepEqual(sends(step(PUBLISH, "create", undefined, publish), {}), { everything: true, layers: all, bytes: null });
  assert.deepEqual(sends(step(PUBLISH, "update", publish, { ...publish, registry: { path: "b" } })), { everything: true, layers: all, bytes: 5_000_000 });
  assert.deepEqual(sends(step(PUBLISH, "update", publish, { ...publish, cache: { path: "b" } })), { everything: false, layers: [], bytes: 0 });
  const one = step(PUBLISH, "update", publish, { ...publish, layers: { "layer0-base": "1", "layer1-python": "2" } });
  assert.deepEqual(sends(one), { everything: false, layers: ["layer1-python"], bytes: 3_000_000 });
  assert.deepEqual(sends(one, { "comfyui-layer0-base": took(2) }), { everything: false, layers: ["layer1-python"], bytes: null });
  assert.deepEqual(sends(step(PUBLISH, "update", publish, { ...publish, layers: { "layer0-base": "1" } }))?.layers, ["layer1-python"], "one that leaves the image is named; it has a size of its last time");
});

test("nothing to do; components, the stack, and what is only read are no changes", () => {
  const group = { op: "create", urn: "urn:pulumi:team::comfyui::comfyui:image:Layers::comfyui", newState: { type: "comfyui:image:Layers", custom: false } };
  const all = changes([group, step("comfyui-layer0-base", "same", base, base), resourceStep("zone", "aws:route53/zone:Zone", "read"), resourceStep("zone", "aws:route53/zone:Zone", "refresh")]);
  assert.equal(anyChange(all), false);
  assert.deepEqual([all.others, all.expected], [[], { seconds: 0, atLeast: false, path: [] }]);
});

test("replacements and deletions stand first, by the gravest of a resource's steps, whatever comes before them", () => {
  const bucket = "aws:s3/bucket:Bucket";
  const all = changes([
    resourceStep("one", bucket, "create"),
    resourceStep("two", bucket, "update", { diffReasons: ["tags"], oldState: { type: bucket, custom: true } }),
    resourceStep("three", bucket, "create-replacement", { diffReasons: ["bucket", "tags"], replaceReasons: ["bucket"] }),
    resourceStep("three", bucket, "replace", { diffReasons: ["bucket", "tags"], replaceReasons: ["bucket"] }),
    resourceStep("four", bucket, "import"),
    step("old", "delete", base),
    { ...step("kept", "delete", base), oldState: { type: bucket, custom: true, retainOnDelete: true } },
    step("host", "delete-replaced", base),
  ]);
  assert.deepEqual(all.others.map(({ resource, effect, grave }) => [resource, effect, grave]), [
    ["three", "replaced", true],
    ["old", "deleted", true],
    ["kept", "left alone, no longer managed", true],
    ["host", "replaced", true],
    ["one", "created", false],
    ["two", "updated", false],
    ["four", "import", false],
  ]);
  assert.deepEqual([all.others[0]?.replacedFor, all.others[0]?.because.settings, all.others[5]?.because.settings], [["bucket"], ["bucket", "tags"], ["tags"]]);
});

test("no step is lost: not a resource of a component's name, nor what is left of one that was replaced", () => {
  const group = { op: "create", urn: "urn:pulumi:team::comfyui::comfyui:aws:Registry::images", newState: { type: "comfyui:aws:Registry", custom: false } };
  const all = changes([
    group,
    resourceStep("images", "aws:ecr/repository:Repository", "delete"),
    step("comfyui-layer0-base", "update", base, { ...base, compression: "gzip" }),
    { ...step("comfyui-layer0-base", "delete", base), oldState: { type: COMMAND, custom: true, delete: true } },
  ]);
  assert.deepEqual(all.layers.map(({ effect }) => effect), ["runs", "unchanged"]);
  assert.deepEqual(all.others.map(({ resource, op }) => [resource, op]), [["images", "delete"], ["comfyui-layer0-base (what was left of it)", "delete"]]);
});

test("a failed preview has the engine's errors and nothing else", () => {
  const preview = parsePreview(JSON.stringify({ steps: [step("a", "create", undefined, base)], diagnostics: [{ severity: "error", message: " bad\n" }, { severity: "info", message: "no matter" }] }));
  assert.deepEqual(preview.errors, ["bad"]);
});

interface World {
  readonly layers: readonly LayerNode[];
  readonly running: ReadonlySet<string>;
  readonly last: Readonly<Record<string, LastTime>>;
  /** Operations on other resources. */
  readonly others: readonly string[];
}

const OPS = ["create", "update", "replace", "delete", "create-replacement", "delete-replaced", "import", "same", "read"];

const world: fc.Arbitrary<World> = fc
  .array(fc.record({ waits: fc.array(fc.nat(9), { maxLength: 3 }), blob: fc.boolean(), runs: fc.boolean(), seconds: fc.option(fc.nat(1000)) }), { minLength: 1, maxLength: 9 })
  .chain((drawn) => fc.record({ drawn: fc.constant(drawn), publish: fc.boolean(), others: fc.array(fc.constantFrom(...OPS), { maxLength: 12 }) }))
  .map(({ drawn, publish, others }) => {
    const name = (at: number) => `layer${at}`;
    const layers = drawn.map(({ waits, blob }, at) => ({ layer: name(at), resource: `comfyui-${name(at)}`, blob, waitsFor: [...new Set(waits.filter((below) => below < at))].map(name) }));
    const last = Object.fromEntries(drawn.flatMap(({ seconds }, at) => (seconds === null ? [] : [[`comfyui-${name(at)}`, took(seconds)]])));
    const running = new Set([...drawn.flatMap(({ runs }, at) => (runs ? [`comfyui-${name(at)}`] : [])), ...(publish ? [PUBLISH] : [])]);
    return { layers, running, last: { ...last, [PUBLISH]: took(7) }, others };
  });

function changesIn({ layers, running, last, others }: World) {
  const steps = [...[...running].map((name) => step(name, "update", base, { ...base, compression: "gzip" })), ...others.map((op, at) => resourceStep(`other-${at}`, "aws:x/y:Y", op))];
  return changes(steps, [...layers], last);
}

test("property: what is said to run and to change is every step of the engine's, and nothing else", () => {
  fc.assert(
    fc.property(world, (drawn) => {
      const all = changesIn(drawn);
      const said = [...all.layers, all.publish].filter((each) => each?.runs).map((each) => each?.resource);
      assert.deepEqual(new Set(said), drawn.running);
      const real = drawn.others.flatMap((op, at) => (["same", "read"].includes(op) ? [] : [`other-${at}`]));
      assert.deepEqual(all.others.map(({ resource }) => resource).sort(), real.sort());
      assert.equal(anyChange(all), said.length + real.length > 0);
      const graves = all.others.map(({ grave }) => grave);
      assert.deepEqual(graves, graves.toSorted((a, b) => Number(b) - Number(a)));
    }),
  );
});

/** Lets time pass, a second a step: a layer is built while all that it waits for are done. */
function simulated({ layers, running, last }: World): number {
  const left = new Map<string, number>();
  const wait = new Map<string, readonly string[]>();
  const add = (name: string, resource: string, waitsFor: readonly string[]) => {
    left.set(name, running.has(resource) ? (last[resource]?.seconds ?? 0) : 0);
    wait.set(name, waitsFor);
  };
  for (const { layer, resource, waitsFor } of layers) add(layer, resource, waitsFor);
  add("publish", PUBLISH, layers.filter(({ blob }) => blob).map(({ layer }) => layer));
  const done = new Set<string>();
  for (let clock = 0; ; clock++) {
    // What takes no time is done at once, and so may be what waited for it.
    for (let before = -1; before !== done.size; ) {
      before = done.size;
      for (const [name, seconds] of left) if (seconds === 0 && wait.get(name)?.every((below) => done.has(below))) done.add(name);
    }
    if (done.size === left.size) return clock;
    for (const [name, seconds] of left) if (seconds > 0 && wait.get(name)?.every((below) => done.has(below))) left.set(name, seconds - 1);
  }
}

test("property: the expected time is that of a run in which everything starts as soon as it can", () => {
  fc.assert(
    fc.property(world, (drawn) => {
      const { expected } = changesIn(drawn);
      assert.equal(expected.seconds, simulated(drawn));
      assert.equal(expected.atLeast, [...drawn.running].some((resource) => drawn.last[resource] === undefined));
      const resources = expected.path.map((name) => (name === "publish" ? PUBLISH : `comfyui-${name}`));
      assert.equal(resources.reduce((sum, resource) => sum + (drawn.last[resource]?.seconds ?? 0), 0), expected.seconds, "its chain takes all of it");
      assert.ok(resources.every((resource) => drawn.running.has(resource)));
    }),
    { numRuns: 300 },
  );
});
