import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalJson } from "../../infra/canonical-json.ts";
import { fingerprintImage, fingerprintLayers, type BuildSettings, short } from "../../infra/fingerprint.ts";
import { type Layer, onClosure, parseLayerGraph } from "../../infra/layer-graph.ts";

const settings: BuildSettings = { flavor: "sample", system: "x86_64-linux", compression: "zstd" };

/** A random graph: each layer may be `on` or `after` any earlier one. */
const graphs = fc
  .array(fc.array(fc.constantFrom("on", "after", "no"), { minLength: 12, maxLength: 12 }), { minLength: 2, maxLength: 12 })
  .map((rows) => {
    const layers = rows.map((row, at): Layer => {
      const edges = (kind: string) => row.slice(0, at).flatMap((edge, below) => (edge === kind ? [`l${below}`] : []));
      return { attr: `l${at}`, inputs: [`l${at}/`], on: edges("on"), after: edges("after"), blob: true, smoke: [] };
    });
    return parseLayerGraph(JSON.stringify({ flavors: { sample: { packageSet: "debian" } }, shared: ["lib/"], layers }));
  });

const filesOf = (graph: { layers: readonly Layer[] }) => new Map(graph.layers.map(({ attr }) => [attr, { "lib/a": "0", [`${attr}/a`]: "1" } as Record<string, string>]));

test("a changed file of one layer changes its key and those of the layers on it, and no other", () => {
  fc.assert(
    fc.property(graphs, fc.nat(), fc.constantFrom("2", "1+x", undefined), (graph, pick, digest) => {
      const edited = (graph.layers[pick % graph.layers.length] as Layer).attr;
      const files = filesOf(graph);
      const before = fingerprintLayers(graph, files, settings);
      files.set(edited, digest === undefined ? { "lib/a": "0" } : { "lib/a": "0", [`${edited}/a`]: digest });
      const after = fingerprintLayers(graph, files, settings);
      for (const { attr } of graph.layers) {
        const dragged = onClosure(graph, attr).some((below) => below.attr === edited);
        assert.equal(before.get(attr) !== after.get(attr), dragged, `${attr} after an edit of ${edited}`);
      }
    }),
  );
});

test("each setting, the package set, and a layer's entry are part of the key; the order of execution is not", () => {
  const text = (more: object, packageSet = "debian") =>
    parseLayerGraph(JSON.stringify({ flavors: { sample: { packageSet } }, shared: [], layers: [{ attr: "b", inputs: ["b/"], on: [], after: [], blob: true, smoke: [] }, { attr: "a", inputs: ["a/"], on: [], after: [], blob: true, smoke: [], ...more }] }));
  const key = (graph: ReturnType<typeof text>, using = settings) => fingerprintLayers(graph, filesOf(graph), using).get("a");
  const base = key(text({}));
  assert.equal(key(text({ after: ["b"] })), base);
  assert.equal(key(text({ smoke: { sample: [] } })), base, "another flavor's smoke test is none of ours");
  const others = [key(text({ smoke: ["true"] })), key(text({ on: ["b"] })), key(text({}, "nixpkgs")), ...(["flavor", "system", "compression"] as const).map((name) => key(text({}), { ...settings, [name]: "other" }))];
  assert.equal(new Set([base, ...others]).size, others.length + 1);
});

test("the image's key knows its blobs only", () => {
  const graph = parseLayerGraph(JSON.stringify({ flavors: { sample: { packageSet: "debian" } }, shared: [], layers: ["a", "w"].map((attr) => ({ attr, inputs: [`${attr}/`], on: [], after: [], blob: attr === "a", smoke: [] })) }));
  const image = (a: string, w: string) => fingerprintImage(graph, new Map([["a", a], ["w", w]]));
  assert.equal(image("1", "1"), image("1", "2"));
  assert.notEqual(image("1", "1"), image("2", "1"));
});

test("canonical JSON does not depend on the order of keys", () => {
  const shuffled = (value: unknown): unknown => (Array.isArray(value) ? value.map(shuffled) : value !== null && typeof value === "object" ? Object.fromEntries(Object.entries(value).reverse().map(([k, v]) => [k, shuffled(v)])) : value);
  fc.assert(fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
    const text = canonicalJson(value as never);
    assert.equal(canonicalJson(shuffled(value) as never), text);
    assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
  }));
});

test("short keys keep the executable mark", () => {
  assert.equal(short(`${"a".repeat(64)}+x`), "aaaaaaaaaaaa+x");
  assert.equal(short("b".repeat(64)), "bbbbbbbbbbbb");
});
