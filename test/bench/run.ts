/**
 * The benchmark: `npm run bench [-- [--quick] [--out FILE] [PART…]]`. Measures on this machine and writes test/bench/results.md, or
 * FILE; of some parts alone, to standard output. It ends with another code than 0 where something could not be measured; a goal
 * that is missed is a result. `--quick`: fewer and smaller runs.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeRunFolder } from "../support/run-folder.ts";
import { blob } from "./blob.ts";
import { cacheRead } from "./cache-read.ts";
import { change } from "./change.ts";
import { cold } from "./cold.ts";
import type { Bench, Findings, Part } from "./comparison.ts";
import { engine } from "./engine.ts";
import { graph } from "./graph.ts";
import { large } from "./large.ts";
import { describeMachine } from "./machine.ts";
import { parallel } from "./parallel.ts";
import { pieces } from "./pieces.ts";
import { publish } from "./publish.ts";
import { report } from "./report.ts";

const PARTS: readonly Part[] = [engine, pieces, change, cold, parallel, blob, publish, cacheRead, graph, large];
const RESULTS = join(import.meta.dirname, "results.md");

const { values: { quick, out }, positionals } = parseArgs({ options: { quick: { type: "boolean", default: false }, out: { type: "string" } }, allowPositionals: true });

function chosen(): readonly Part[] {
  const unknown = positionals.filter((name) => !PARTS.some((part) => part.name === name));
  if (unknown.length > 0) throw new Error(`there is no part ${unknown.join(", ")}; these are: ${PARTS.map(({ name }) => name).join(", ")}`);
  return PARTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
}

/** The parts that could be measured; the others are named, and end the run with an error. */
async function measure(parts: readonly Part[]): Promise<Findings[]> {
  const findings: Findings[] = [];
  for (const part of parts) {
    const began = performance.now();
    const say: Bench["say"] = (text) => void process.stderr.write(`${part.name}: ${text}\n`);
    try {
      const found = await part.measure({ quick, runs: quick ? 3 : 5, say });
      findings.push(found);
      if (found.notRun !== undefined) say(`not run: ${found.notRun}`);
      else say(`done after ${((performance.now() - began) / 1000).toFixed(0)} s`);
    } catch (error) {
      say(`could not be measured: ${(error as Error).stack}`);
      process.exitCode = 1;
    }
  }
  return findings;
}

const folder = makeRunFolder();
try {
  const parts = chosen();
  const text = report(await describeMachine(), await measure(parts), quick);
  const file = out ?? (positionals.length === 0 ? RESULTS : undefined);
  if (file === undefined) process.stdout.write(text);
  else writeFileSync(file, text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
