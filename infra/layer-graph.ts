import { z } from "zod";
import type { Json } from "./canonical-json.ts";
import { type Fault, throwFaults } from "./faults.ts";
import { issueViews } from "./zod-faults.ts";

const layerSchema = z.strictObject({
  /** Name of the layer, of its flake attribute and of its resource. */
  attr: z.string().regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, "lower-case words joined by -"),
  /** Files, or folders with a slash at their end, relative to layers/: all that the layer's Nix code reads beside `shared`. */
  inputs: z.array(z.string()).min(1, "at least one input"),
  /** A file among `inputs`: a flavor without it does not have this layer. Default: every flavor has the layer. */
  optional: z.string().optional(),
  /** Layers whose contents this one builds on: part of its fingerprint, below it in the image. */
  on: z.array(z.string()),
  /** Layers that must be done first, without being part of this one's content. */
  after: z.array(z.string()),
  /** Whether the layer is a blob of the image, or only an input of others. */
  blob: z.boolean(),
  /** A command that shows that the layer works, or one for each flavor; run in the build and usable with `docker run`. Empty: none. */
  smoke: z.union([z.array(z.string()), z.record(z.string(), z.array(z.string()))]),
});

/** What a flavor's layers are made from. All of it is content: a change builds every layer of the flavor again. */
const flavorSchema = z.strictObject({
  /** Folder in layers/package-sets/: where programs, libraries and Python come from. */
  packageSet: z.string().regex(/^[a-z][a-z0-9-]*$/, "a lower-case name"),
  /** Longest tar, in bytes before compression, that becomes one blob; a larger layer becomes several, by the rule of lib/pack_blob/split.py. A file that is longer by itself has a blob of its own. Default: no limit. */
  blobLimit: z.number().int().min(1_000_000).optional(),
  /** Where PyTorch comes from: the locked wheels, or the package set's own build of it (`packageSet` nixpkgs only). Default: wheels. */
  torch: z.enum(["wheels", "nixpkgs"]).optional(),
  /** The flavor computes on an NVIDIA GPU: `driver` is the oldest driver that its CUDA runs with. Default: it needs no GPU. */
  gpu: z.strictObject({ driver: z.number().int().min(1) }).optional(),
});

const graphSchema = z.strictObject({
  flavors: z.record(z.string().regex(/^[a-z][a-z0-9-]*$/, "a lower-case name"), flavorSchema),
  /** Inputs of every layer. */
  shared: z.array(z.string()),
  layers: z.array(layerSchema).min(1, "at least one layer"),
});

export type Layer = z.output<typeof layerSchema>;

/** The layer graph, checked; each layer stands behind all it is `on` or `after`. `flavorGraph` leaves out what a flavor has not. */
export type LayerGraph = z.output<typeof graphSchema>;

/** Parses and checks layers.json; throws one FaultError with everything that is wrong. */
export function parseLayerGraph(text: string): LayerGraph {
  const input = parseJson(text);
  const result = graphSchema.safeParse(input);
  if (!result.success) {
    throwFaults(issueViews(result.error, input).map(({ path, problem, found, expected }) => ({ code: "GRAPH_SCHEMA", where: `layers.json: ${path || "the whole file"}`, problem, found, expected })));
    throw result.error;
  }
  const graph = result.data;
  const faults = [...duplicateFaults(graph), ...edgeFaults(graph), ...inputFaults(graph), ...optionalFaults(graph), ...smokeFaults(graph), ...torchFaults(graph)];
  throwFaults(faults.length > 0 ? faults : cycleFaults(graph));
  throwFaults(orderFaults(graph));
  return graph;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throwFaults([{ code: "GRAPH_JSON", where: "layers.json", problem: (error as Error).message }]);
    throw error;
  }
}

function duplicateFaults({ layers }: LayerGraph): Fault[] {
  const names = layers.map(({ attr }) => attr);
  return [...new Set(names.filter((name, at) => names.indexOf(name) < at))].map((name) => ({
    code: "GRAPH_DUPLICATE_ATTR",
    where: "layers.json",
    problem: `two layers have the attr ${name}`,
    found: names.flatMap((other, at) => (other === name ? [`layers[${at}]`] : [])).join(" and "),
    expected: "one layer for each attr",
  }));
}

function edgeFaults({ layers }: LayerGraph): Fault[] {
  const byName = new Map(layers.map((layer) => [layer.attr, layer]));
  return layers.flatMap((layer) =>
    (["on", "after"] as const).flatMap((edge) =>
      layer[edge].flatMap((name): Fault[] => {
        const below = byName.get(name);
        const where = `layers.json: ${layer.attr}.${edge}`;
        if (below === undefined) return [{ code: "GRAPH_UNKNOWN_LAYER", where, problem: "there is no such layer", found: name, expected: [...byName.keys()].join(", ") }];
        if (edge === "on" && !below.blob) return [{ code: "GRAPH_ON_WITHOUT_BLOB", where, problem: `${name} has no blob`, found: `"blob": false`, expected: `"blob": true` }];
        return [];
      }),
    ),
  );
}

const placeholders = ["{flavor}", "{packageSet}"];

function inputFaults({ shared, layers }: LayerGraph): Fault[] {
  const named = [...shared.map((input) => ["shared", input] as const), ...layers.flatMap(({ attr, inputs }) => inputs.map((input) => [attr, input] as const))];
  return named.flatMap(([owner, input]): Fault[] => {
    const where = `layers.json: ${owner}`;
    const unknown = (input.match(/\{[^}]*\}/g) ?? []).filter((name) => !placeholders.includes(name));
    if (unknown.length > 0) return [{ code: "GRAPH_PLACEHOLDER", where, problem: `the input ${input} has an unknown placeholder`, found: unknown.join(", "), expected: placeholders.join(" or ") }];
    if (input.startsWith("/") || input.split("/").includes("..")) return [{ code: "GRAPH_INPUT_OUTSIDE", where, problem: "the input lies outside layers/", found: input, expected: "a path below layers/" }];
    if (!/^[A-Za-z0-9._+{}-]+(\/[A-Za-z0-9._+{}-]+)*\/?$/.test(input)) return [{ code: "GRAPH_INPUT_NAME", where, problem: "the input is not a plain path", found: JSON.stringify(input), expected: "names of letters, digits and . _ + -, joined by /" }];
    return [];
  });
}

/** What is there only sometimes has to be an input, so that its coming and going is in the key; and nothing may miss it. */
function optionalFaults({ layers }: LayerGraph): Fault[] {
  const byName = new Map(layers.map((layer) => [layer.attr, layer]));
  return layers.flatMap(({ attr, inputs, optional, on, after }): Fault[] => {
    const where = `layers.json: ${attr}`;
    const loose = [...on, ...after].filter((name) => ![undefined, optional].includes(byName.get(name)?.optional));
    return [
      ...(optional === undefined || inputs.includes(optional) ? [] : [{ code: "GRAPH_OPTIONAL" as const, where: `${where}.optional`, problem: "the layer depends on a file that it does not read", found: optional, expected: `one of ${inputs.join(", ")}` }]),
      ...loose.map((name): Fault => ({ code: "GRAPH_ON_OPTIONAL", where, problem: `${attr} waits for ${name}, which a flavor may not have`, found: optional ?? "a layer that is always there", expected: `"optional": ${JSON.stringify(byName.get(name)?.optional)}` })),
    ];
  });
}

function smokeFaults({ flavors, layers }: LayerGraph): Fault[] {
  const wanted = Object.keys(flavors).sort().join(", ");
  return layers.flatMap(({ attr, smoke }): Fault[] => {
    if (Array.isArray(smoke) || Object.keys(smoke).sort().join(", ") === wanted) return [];
    return [{ code: "GRAPH_SMOKE", where: `layers.json: ${attr}.smoke`, problem: "the smoke tests are not those of the flavors", found: Object.keys(smoke).sort().join(", ") || "none", expected: wanted }];
  });
}

function torchFaults({ flavors }: LayerGraph): Fault[] {
  return Object.entries(flavors).flatMap(([flavor, { packageSet, torch }]): Fault[] =>
    torch !== "nixpkgs" || packageSet === "nixpkgs" ? [] : [{ code: "GRAPH_TORCH", where: `layers.json: flavors.${flavor}`, problem: `the package set ${packageSet} has no PyTorch`, found: `"packageSet": "${packageSet}", "torch": "nixpkgs"` }],
  );
}

/** A flavor's entry, as the JSON it was read from. */
export function flavorOf(graph: LayerGraph, flavor: string): Json {
  return (graph.flavors[flavor] ?? {}) as Json;
}

export function needsGpu(graph: LayerGraph, flavor: string): boolean {
  return graph.flavors[flavor]?.gpu !== undefined;
}

/** A layer's smoke test in one flavor. */
export function smokeOf({ smoke }: Layer, flavor: string): readonly string[] {
  return Array.isArray(smoke) ? smoke : (smoke[flavor] ?? []);
}

function cycleFaults({ layers }: LayerGraph): Fault[] {
  const left = new Map(layers.map((layer) => [layer.attr, layer]));
  // Takes away what waits for nothing that is left, until nothing more can be taken.
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    for (const { attr, on, after } of left.values()) if (![...on, ...after].some((name) => left.has(name))) left.delete(attr);
  }
  if (left.size === 0) return [];
  return [{ code: "GRAPH_CYCLE", where: "layers.json", problem: "these layers wait for each other", found: circle(left).join(" -> "), expected: "a graph without circles" }];
}

/** One circle among layers that all wait for one of them. */
function circle(left: ReadonlyMap<string, Layer>): string[] {
  const path: string[] = [];
  let [at = ""] = left.keys();
  while (!path.includes(at)) {
    path.push(at);
    const { on, after } = left.get(at) as Layer;
    at = [...on, ...after].find((name) => left.has(name)) as string;
  }
  return [...path.slice(path.indexOf(at)), at];
}

/** The file's order is the image's: the lowest layer first. */
function orderFaults({ layers }: LayerGraph): Fault[] {
  const place = new Map(layers.map(({ attr }, at) => [attr, at]));
  return layers.flatMap(({ attr, on, after }, at) =>
    [...on, ...after]
      .filter((name) => (place.get(name) as number) > at)
      .map((name): Fault => ({ code: "GRAPH_ORDER", where: `layers.json: ${attr}`, problem: `${attr} stands before ${name}, for which it waits`, found: `layers[${at}] before layers[${place.get(name)}]`, expected: "lower layers first" })),
  );
}

/** A layer and all layers it is `on`, transitively, lowest first: what its image holds and its Nix code may evaluate. */
export function onClosure(graph: LayerGraph, attr: string): Layer[] {
  const wanted = new Set([attr]);
  for (const layer of graph.layers.toReversed()) if (wanted.has(layer.attr)) layer.on.forEach((name) => wanted.add(name));
  return graph.layers.filter((layer) => wanted.has(layer.attr));
}

/** A layer's inputs and the shared ones, placeholders filled in. */
export function inputPaths(graph: LayerGraph, layer: Layer, flavor: string): string[] {
  return [...graph.shared, ...layer.inputs].map((path) => filledIn(graph, path, flavor));
}

function filledIn(graph: LayerGraph, path: string, flavor: string): string {
  return path.replaceAll("{flavor}", flavor).replaceAll("{packageSet}", graph.flavors[flavor]?.packageSet ?? "");
}

/** The graph with the layers that a flavor has. `exists` answers for a path relative to layers/. */
export function flavorGraph(graph: LayerGraph, flavor: string, exists: (path: string) => boolean): LayerGraph {
  const has = ({ optional }: Layer) => optional === undefined || exists(filledIn(graph, optional, flavor));
  return { ...graph, layers: graph.layers.filter(has) };
}
