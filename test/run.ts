/**
 * Runs the tests: `node test/run.ts [--full | --servers | --official] [PART-OF-A-PATH…]`, all of them or the files whose path has one of
 * the parts in it. `--full`: those that download gigabytes, and no others. `--servers`: those with a cache server, by the real ones.
 * `--official`: those of Pulumi's language host, its command plugin and its Docker plugin, by Pulumi's own.
 * Order: checks and unit tests side by side, then the tests with the real Nix, one file at a time, because each uses all of a
 * small machine, then those of the whole program, then those with hosts of their own, two at a time, because they wait as long as
 * they work. One summary at the end; a skipped test fails the run.
 */
import { globSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { parseArgs } from "node:util";
import { needRealServers } from "./support/cache-servers.ts";
import { needOfficialPieces } from "./support/pulumi-pieces.ts";
import { fastestFolder, makeRunFolder } from "./support/run-folder.ts";

const root = resolve(import.meta.dirname, "..");
type Phases = readonly { readonly pattern: string; readonly concurrency: boolean | number }[];
interface Suite {
  readonly phases: Phases;
  /** Throws where something is not there that these tests are about. */
  readonly needs?: () => void;
  /** Its files are too large for the memory. */
  readonly large?: true;
}

const suites = {
  all: {
    phases: [
      { pattern: "test/{checks,unit/**/*}.test.ts", concurrency: true },
      { pattern: "test/nix/**/*.test.ts", concurrency: false },
      { pattern: "test/e2e/**/*.test.ts", concurrency: 2 },
      { pattern: "test/hosts/**/*.test.ts", concurrency: 2 },
    ],
  },
  full: { phases: [{ pattern: "test/full/**/*.test.ts", concurrency: false }], large: true },
  servers: {
    phases: [{ pattern: "test/hosts/{cache-host,cache-operators,host-faults,hosts,remote-builders,remote-cache}.test.ts", concurrency: 2 }],
    needs: needRealServers,
  },
  official: {
    phases: [
      { pattern: "test/e2e/{command-*,language-host}.test.ts", concurrency: 2 },
      { pattern: "test/hosts/command-*.test.ts", concurrency: 2 },
      { pattern: "test/official/**/*.test.ts", concurrency: false },
    ],
    needs: needOfficialPieces,
  },
} as const satisfies Record<string, Suite>;

/** A test that hangs ends the run in the end. */
const FILE_TIMEOUT = 60 * 60_000;
const TOTALS = ["tests", "suites", "pass", "fail", "cancelled", "skipped", "todo", "duration_ms"] as const;

type TestEvent = { readonly type: string; readonly data: { readonly nesting?: number; readonly message?: string } };
type Totals = Map<string, number>;

function files(pattern: string, wanted: readonly string[]): string[] {
  const all = globSync(pattern, { cwd: root }).sort();
  return all.filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
}

/** Adds up a total of one phase ("tests 12"); false for any other event. */
function counted({ type, data }: TestEvent, totals: Totals): boolean {
  const [, name, value] = /^(\w+) ([\d.]+)$/.exec(data.message ?? "") ?? [];
  if (type !== "test:diagnostic" || data.nesting !== 0 || !TOTALS.some((each) => each === name)) return false;
  totals.set(name as string, (totals.get(name as string) ?? 0) + Number(value));
  return true;
}

/** The events of all phases as those of one run: the totals come once, at the end. */
async function* events(phases: Phases, wanted: readonly string[], totals: Totals, signal: AbortSignal): AsyncGenerator<TestEvent> {
  for (const { pattern, concurrency } of phases) {
    const chosen = files(pattern, wanted).map((file) => join(root, file));
    if (chosen.length === 0 || signal.aborted) continue;
    // A forced exit ends a file that left something open, but it can cut off reports of files that run side by side.
    for await (const event of run({ files: chosen, concurrency, timeout: FILE_TIMEOUT, forceExit: concurrency !== true, signal })) {
      if (!counted(event as TestEvent, totals)) yield event as TestEvent;
    }
  }
  for (const name of TOTALS) {
    yield { type: "test:diagnostic", data: { nesting: 0, message: `${name} ${totals.get(name) ?? 0}` } };
  }
}

async function main({ phases, needs, large }: Suite, wanted: readonly string[]): Promise<boolean> {
  needs?.();
  if (phases.every(({ pattern }) => files(pattern, wanted).length === 0)) throw new Error(`no test file matches ${wanted.join(" ")}`);
  // Goes away at the end, whatever happens to a test.
  const folder = makeRunFolder(large ? undefined : fastestFolder());
  const abort = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => abort.abort(name));
  const totals: Totals = new Map();
  try {
    await pipeline(Readable.from(events(phases, wanted, totals, abort.signal)), new spec(), process.stdout, { end: false });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const sum = (name: string) => totals.get(name) ?? 0;
  return !abort.signal.aborted && sum("pass") > 0 && sum("fail") + sum("cancelled") + sum("skipped") === 0;
}

const flag = { type: "boolean", default: false } as const;
const { values, positionals } = parseArgs({ options: { full: flag, servers: flag, official: flag }, allowPositionals: true });
const asked = (["full", "servers", "official"] as const).find((name) => values[name]) ?? "all";
const suite: Suite = suites[asked];
process.exitCode = (await main(suite, positionals)) ? 0 : 1;
