/**
 * Edits of layers/ for tests of fingerprints: random ones of any file, ones that certainly reach a derivation (a value in a
 * lock, a file made unreadable to Nix), and ones of the graph in layers.json.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { applyEdit, describeEdit, type Edit, type Entry, planEdits, EDIT_KINDS, touched } from "./edits.ts";
import { Random } from "./random.ts";

/** layers.json as it stands in the file, unchecked. */
export interface RawGraph {
  flavors: Record<string, { packageSet: string; blobLimit?: number | undefined }>;
  shared: string[];
  layers: RawLayer[];
}

export interface RawLayer {
  attr: string;
  inputs: string[];
  on: string[];
  after: string[];
  blob: boolean;
  smoke: string[] | Record<string, string[]>;
  optional?: string | undefined;
}

export interface LayerEdit {
  readonly kind: string;
  readonly text: string;
  /** Paths below layers/ that it changes. */
  readonly paths: readonly string[];
  /** Applies it below a copy of layers/; the answer takes it back. */
  readonly apply: (layers: string) => () => void;
}

export function readRawGraph(layers: string): RawGraph {
  return JSON.parse(readFileSync(join(layers, "layers.json"), "utf8")) as RawGraph;
}

/** All inputs of all layers, placeholders filled in. */
export function listedPaths(graph: RawGraph, flavor: string): string[] {
  const all = [...graph.shared, ...graph.layers.flatMap(({ inputs }) => inputs)];
  return [...new Set(all)].map((path) => expand(graph, flavor, path));
}

export function expand(graph: RawGraph, flavor: string, path: string): string {
  return path.replaceAll("{flavor}", flavor).replaceAll("{packageSet}", graph.flavors[flavor]?.packageSet ?? "");
}

export function covers(listed: string, path: string): boolean {
  return listed.endsWith("/") ? path.startsWith(listed) : path === listed;
}

/** Random edits of any file below layers/, through all of its folders. */
export function fileEdits(seed: string, entries: readonly Entry[], count: number): LayerEdit[] {
  return planEdits(seed, entries, count, [...EDIT_KINDS, "mkdir"]).map((edit: Edit) => ({
    kind: edit.kind,
    text: describeEdit(edit),
    paths: touched(edit),
    apply: (layers) => applyEdit(layers, edit),
  }));
}

function rewrite(kind: string, text: string, path: string, change: (before: string) => string): LayerEdit {
  return {
    kind,
    text,
    paths: [path],
    apply: (layers) => {
      const file = join(layers, path);
      const before = readFileSync(file, "utf8");
      writeFileSync(file, change(before));
      return () => writeFileSync(file, before);
    },
  };
}

/** For each input one file of it that no longer is what it was for any reader: no Nix, no JSON, another script. */
export function breakingEdits(seed: string, listed: readonly string[], entries: readonly Entry[]): LayerEdit[] {
  const random = new Random(`${seed} breaks`);
  return listed.map((input) => {
    const { path } = random.pick(entries.filter((entry) => covers(input, entry.path)));
    return rewrite("break", `break ${path}`, path, () => `}{ ${random.word()}\n`);
  });
}

/** In each lock another hash of one file, in each choice one program less: still good, of other content. */
export function lockEdits(seed: string, entries: readonly Entry[]): LayerEdit[] {
  const random = new Random(`${seed} locks`);
  const locks = entries.filter(({ path }) => /^(locks|flavors|package-sets)\/.*\.json$/.test(path)).map(({ path }) => path);
  return locks.map((path) => {
    const pick = random.bits();
    return rewrite("lock", `another hash in ${path}`, path, (text) => otherHash(text, pick));
  });
}

function otherHash(text: string, pick: number): string {
  const hashes = [...text.matchAll(/sha256-[A-Za-z0-9+/]{43}=/g)].map(([hash]) => hash);
  // A choice has no hash.
  if (hashes.length === 0) return text.replace(/("programs": \[)\s*"[^"]+",/, "$1");
  const hash = hashes[pick % hashes.length] as string;
  const [first, rest] = [hash.charAt("sha256-".length), hash.slice("sha256-".length + 1)];
  return text.replaceAll(hash, `sha256-${first === "A" ? "B" : "A"}${rest}`);
}

/** The lock that set-up makes where the mirror no longer has a locked version: git does not know it, but it counts. */
export function relockEdit(): LayerEdit {
  const [from, to] = ["package-sets/debian/debs/lock.json", "package-sets/debian/debs/relocked.json"];
  return {
    kind: "relock",
    text: `add ${to}`,
    paths: [to],
    apply: (layers) => applyEdit(layers, { kind: "add", path: to, content: otherHash(readFileSync(join(layers, from), "utf8"), 0) }),
  };
}

/** The lock of the layer that a flavor need not have, with a node and a package that it requires. */
export const nodesLock = (flavor: string): string => `locks/${flavor}/layer7-nodes.lock.json`;

export function addNodesLock(layers: string, flavor: string): void {
  const hash = (digit: string) => `sha256-${digit.repeat(43)}=`;
  const files = [
    { git: "https://github.com/owner/Some-Node.git", rev: "0".repeat(40), name: "some-node", version: "1", file: "Some-Node-000000000000", hash: hash("A") },
    { index: "pypi", name: "some-package", version: "1", file: "some_package-1-py3-none-any.whl", hash: hash("B") },
  ];
  writeFileSync(join(layers, nodesLock(flavor)), `${JSON.stringify({ files }, null, 2)}\n`);
}

type Change = (graph: RawGraph, random: Random) => void;

const GRAPH_CHANGES: Readonly<Record<string, Change>> = {
  "smoke test": ({ layers }, random) => {
    const { smoke } = random.pick(layers);
    (Array.isArray(smoke) ? smoke : (smoke["sample"] as string[])).push(random.word());
  },
  "blob or not": ({ layers }, random) => {
    const layer = random.pick(layers);
    layer.blob = !layer.blob;
  },
  "optional or not": ({ layers }) => {
    const layer = layers.find(({ optional }) => optional !== undefined) as RawLayer;
    delete layer.optional;
  },
  "input more": ({ layers }, random) => void random.pick(layers).inputs.push("apps/"),
  "input less": ({ layers }, random) => void random.pick(layers).inputs.shift(),
  "shared input more": ({ shared }) => void shared.push("apps/"),
  "shared input less": ({ shared }, random) => void shared.splice(random.below(shared.length), 1),
  "on another": ({ layers }, random) => {
    const [upper, lower] = twoOf(layers, random);
    upper.on = upper.on.includes(lower.attr) ? upper.on.filter((name) => name !== lower.attr) : [...upper.on, lower.attr];
  },
  "after another": ({ layers }, random) => {
    const [upper, lower] = twoOf(layers, random);
    upper.after = upper.after.includes(lower.attr) ? upper.after.filter((name) => name !== lower.attr) : [...upper.after, lower.attr];
  },
  "two layers swapped": ({ layers }, random) => {
    const at = random.below(layers.length - 1);
    layers.splice(at, 2, layers[at + 1] as RawLayer, layers[at] as RawLayer);
  },
  "order of `on`": ({ layers }) => {
    for (const layer of layers) layer.on.reverse();
  },
  "layer renamed": ({ layers }, random) => {
    random.pick(layers).attr += `-${random.word()}`;
  },
  "layer removed": ({ layers }, random) => void layers.splice(random.below(layers.length), 1),
  "flavor more": ({ flavors }, random) => {
    flavors[`x${random.word()}`] = { packageSet: "debian" };
  },
  "blob limit": ({ flavors }, random) => {
    flavors["sample"] = { ...(flavors["sample"] as RawGraph["flavors"][string]), blobLimit: 1_000_000 + random.below(1_000_000) };
  },
  "another package set": ({ flavors }, random) => {
    flavors["sample"] = { packageSet: `x${random.word()}` };
  },
};

function twoOf(layers: readonly RawLayer[], random: Random): [RawLayer, RawLayer] {
  const upper = 1 + random.below(layers.length - 1);
  return [layers[upper] as RawLayer, layers[random.below(upper)] as RawLayer];
}

/** `rounds` edits of each way to change the graph; every pair of neighbours is swapped once. */
export function graphEdits(seed: string, graph: RawGraph, rounds: number): LayerEdit[] {
  const random = new Random(`${seed} graph`);
  const changed = Array.from({ length: rounds }, () => Object.entries(GRAPH_CHANGES)).flat().map(([name, change]) => {
    const copy = structuredClone(graph);
    change(copy, random);
    return graphEdit(name, copy);
  });
  const swaps = graph.layers.slice(1).map((upper, at) => {
    const copy = structuredClone(graph);
    copy.layers.splice(at, 2, structuredClone(upper), structuredClone(graph.layers[at] as RawLayer));
    return graphEdit("two layers swapped", copy);
  });
  return [...changed, ...swaps];
}

function graphEdit(name: string, graph: RawGraph): LayerEdit {
  return rewrite("graph", `layers.json: ${name}`, "layers.json", () => `${JSON.stringify(graph, null, 2)}\n`);
}

/** Gives a layer's module a check, and a file that says what it is: other contents, built in seconds. */
export function setCheck(layers: string, layer: string, check: string): void {
  const file = join(layers, layer, "default.nix");
  const text = readFileSync(file, "utf8").replace(/\} \/\/ \{ check = .*\n$/, "}\n");
  writeFileSync(file, text.replace(/\}\n$/, `} // { check = ''${check}''; files."share/check" = builtins.toFile "check-${layer}" ''${check}''; }\n`));
}
