/** How the time until all keys are known grows with the graph, with the number of input files, and with their bytes. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHECKOUT } from "../support/checkout.ts";
import { type RawGraph, readRawGraph } from "../support/layer-edits.ts";
import { run } from "../support/process.ts";
import { preview } from "../support/pulumi.ts";
import { Sandbox } from "../support/sandbox.ts";
import { prefetchedStore } from "../support/prefetched-store.ts";
import { type Bench, type Growth, linear, median, type Part } from "./comparison.ts";

/** The seven layers many times, each seven beside the others. */
function severalfold(graph: RawGraph, times: number): RawGraph {
  const needed = graph.layers.filter(({ optional }) => optional === undefined);
  const named = (name: string, copy: number) => (copy === 0 ? name : `${name}-${copy}`);
  return {
    ...graph,
    layers: Array.from({ length: times }, (_, copy) => needed.map((layer) => ({ ...layer, attr: named(layer.attr, copy), on: layer.on.map((name) => named(name, copy)), after: layer.after.map((name) => named(name, copy)) }))).flat(),
  };
}

/** A copy of layers/ in which each change is seen by a process of its own. */
class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "comfyui-bench-"));
  constructor() {
    cpSync(join(CHECKOUT, "layers"), this.path, { recursive: true });
  }

  /** `count` further inputs of layer 6, of `bytes` each. */
  files(count: number, bytes: number): void {
    const folder = join(this.path, "layer6-app/bench");
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    for (let at = 0; at < count; at++) writeFileSync(join(folder, `file-${at}`), Buffer.alloc(bytes, `${at} `));
  }

  async seconds(runs: number): Promise<number> {
    const figures: number[] = [];
    for (let round = 0; round < runs; round++) figures.push(Number((await run("node", ["test/bench/time-plan.ts", this.path], { cwd: CHECKOUT })).stdout));
    return median(figures);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

async function layers({ quick, runs, say }: Bench): Promise<Growth> {
  say("growth: layers");
  using folder = new Folder();
  await using sandbox = await Sandbox.create({ store: await prefetchedStore() });
  const graph = readRawGraph(folder.path);
  const rows: [number, number, number][] = [];
  for (const times of quick ? [1, 10] : [1, 10, 100]) {
    const text = JSON.stringify(severalfold(graph, times));
    for (const file of [join(folder.path, "layers.json"), sandbox.host("layers/layers.json")]) writeFileSync(file, text);
    const began = performance.now();
    await preview(sandbox);
    const seconds = (performance.now() - began) / 1000;
    rows.push([7 * times, await folder.seconds(runs), seconds]);
  }
  return { what: "layers in the graph", head: ["layers", "fingerprints (s)", "`pulumi preview` of a new stack (s)"], rows, goal: "linear", met: linear(rows) };
}

async function inputs({ quick, runs, say }: Bench): Promise<Growth[]> {
  say("growth: input files");
  using folder = new Folder();
  const timed = async (count: number, bytes: number) => {
    folder.files(count, bytes);
    return folder.seconds(runs);
  };
  const counts: [number, number][] = [];
  for (const count of [10, 100, 1_000, ...(quick ? [] : [10_000])]) counts.push([count, await timed(count, 1_000)]);
  const sizes: [number, number][] = [];
  for (const megabytes of [1, 10, ...(quick ? [] : [200])]) sizes.push([megabytes, await timed(10, megabytes * 100_000)]);
  const longest = counts.at(-1) as [number, number];
  return [
    { what: "input files of 1 kB", head: ["files", "fingerprints (s)"], rows: counts, goal: "linear, 10,000 files ≤ 0.5 s", met: linear(counts) && longest[1] <= 0.5 },
    { what: "bytes of ten input files", head: ["MB", "fingerprints (s)"], rows: sizes, goal: "linear", met: linear(sizes) },
  ];
}

export const graph: Part = {
  name: "graph",
  async measure(bench) {
    return { growth: [...(await inputs(bench)), await layers(bench)] };
  },
};
