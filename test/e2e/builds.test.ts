/** `ops builds` and `ops report`: what runs leave on record, a build that is watched, and one that is stopped. The tests go on from each other's state. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { MeasuredRun } from "../../infra/ops/builds/runs.ts";
import { startBrowser } from "../support/browser.ts";
import { setCheck } from "../support/layer-edits.ts";
import type { Result } from "../support/process.ts";
import { recover, type StartedUpdate, startUp, up } from "../support/pulumi.ts";
import { assertGoodPage, openPage } from "../support/report-page.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

let sandbox: Sandbox;
before(async () => void (sandbox = await warmSandbox()));
after(() => sandbox.stop());

const ops = (...args: string[]): Promise<Result> => sandbox.run("node", ["infra/ops.ts", "builds", ...args], { allowFailure: true });

interface Builds {
  readonly runs: Readonly<Record<string, readonly MeasuredRun[]>>;
  readonly running: readonly { readonly name: string }[];
}

async function builds(): Promise<Builds> {
  return JSON.parse((await ops("--json", "--last", "50")).stdout) as Builds;
}

async function newest(name: string): Promise<MeasuredRun | undefined> {
  return (await builds()).runs[name]?.at(-1);
}

const sleepers = (seconds: string) => sandbox.processes(new RegExp(`^sleep ${seconds.replace(".", "\\.")}$`));

/** An `up` that builds a layer now, for so many seconds. */
async function building(layer: string, seconds: string): Promise<StartedUpdate> {
  setCheck(sandbox.host("layers"), layer, `echo ticking; sleep ${seconds}`);
  const started = await startUp(sandbox, { allowFailure: true });
  while (!started.running.ended && sleepers(seconds).length === 0) await sleep(20);
  assert.equal(sleepers(seconds).length, 1, started.running.output().stdout);
  return started;
}

/** Nothing of a build is left, also not a moment later. */
async function assertNothingRuns(): Promise<void> {
  await sleep(300);
  assert.deepEqual(sandbox.processes(/^(sleep \d|timeout --kill|nix build|tail |bash (infra\/)?hosts\/)/).map(({ command }) => command), []);
}

test("the first up is on record: each layer built, the image published; nothing to compare it with", async () => {
  const { runs, running } = await builds();
  assert.deepEqual(running, []);
  assert.deepEqual(Object.keys(runs), ["layer0-base", "layer1-python", "layer2-wheels", "layer3-pytorch", "layer4-deps", "layer5-perf", "layer6-app", "image"]);
  for (const [name, own] of Object.entries(runs)) {
    const [run] = own;
    assert.equal(own.length, 1, name);
    assert.ok(run?.outcome === "done" && run.seconds > 0 && (run.bytes ?? 0) > 0 && run.growth === undefined, JSON.stringify(run));
    assert.equal(run.changes, null);
    if (name !== "image") assert.ok((run.built ?? 0) > 0 && (run.closureSize ?? 0) > 0 && run.cached === true, name);
  }
  const { stdout, code } = await ops();
  assert.equal(code, 0, stdout);
  for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
});

test("LAYER_STOPPED: a build is followed and stopped; its up says so, nothing lives on, and the history has it", async () => {
  const started = await building("layer5-perf", "120.25");
  assert.deepEqual((await builds()).running.map(({ name }) => name), ["layer5-perf"]);
  const following = sandbox.start("node", ["infra/ops.ts", "builds", "follow"]);
  await following.outputMatches(/^layer5-perf\| layer5-perf-check> ticking$/m);
  const stop = await ops("stop", "layer5-perf");
  assert.deepEqual([stop.code, stop.stdout], [0, "layer5-perf: stopped\n"]);
  const { process: run } = await started.finish();
  assert.equal(run.code, 1, run.stdout);
  assert.match(run.stdout, /error\[LAYER_STOPPED\]: the build was stopped by 'ops builds stop'\n +fix: {6}run 'pulumi up' again/);
  const followed = await following.done;
  assert.equal(followed.code, 2, followed.stderr);
  assert.match(followed.stdout, /^layer5-perf: LAYER_STOPPED, \d+\.\d s \(log: \/.*\.log\)$/m);
  await assertNothingRuns();
  const last = await newest("layer5-perf");
  assert.ok(last?.outcome === "failed" && last.code === "LAYER_STOPPED", JSON.stringify(last));
  assert.deepEqual(last.changes?.map(({ path }) => path).filter(([key]) => key === "inputs"), [["inputs", "layer5-perf/default.nix"]]);
  const shown = await ops();
  assert.match(shown.stdout, /^ {2}\d\d-\d\d \d\d:\d\d +LAYER_STOPPED +\d+\.\d +- +-$/m);
  assert.equal(shown.code, 2);
});

test("a build that was cut off from its up is followed, and stopped with the up that waits for it", async () => {
  const first = await building("layer5-perf", "130.25");
  sandbox.kill(/^pulumi up |^bash hosts\/build-layer\.sh/);
  await first.finish();
  await recover(sandbox);
  const joining = await startUp(sandbox, { allowFailure: true });
  await joining.running.outputMatches(/layer5-perf: joining the build that is running already/);
  const following = sandbox.start("node", ["infra/ops.ts", "builds", "follow", "layer5-perf"]);
  await following.outputMatches(/^layer5-perf-check> ticking$/m);
  assert.equal((await ops("stop")).stdout, "layer5-perf: stopped\n");
  const { process: run } = await joining.finish();
  assert.match(run.stdout, /error\[LAYER_STOPPED\]/);
  assert.equal((await following.done).code, 2);
  await assertNothingRuns();
  const last = await newest("layer5-perf");
  assert.ok(last?.outcome === "failed" && last.code === "LAYER_STOPPED", JSON.stringify(last));
});

test("the next up builds on; what it took and how the layer grew is on record; then there is nothing to follow or to stop", async () => {
  setCheck(sandbox.host("layers"), "layer5-perf", `true ${"x".repeat(3000)}`);
  await up(sandbox);
  const last = await newest("layer5-perf");
  assert.ok(last?.outcome === "done" && (last.built ?? 0) > 0 && (last.growth?.bytes ?? 0) > 0, JSON.stringify(last));
  assert.deepEqual([(await ops("follow")).stdout, (await ops("follow")).code], ["Nothing is being built.\n", 0]);
  assert.deepEqual(JSON.parse((await ops("stop", "image", "--json")).stdout), { stack: "local", stopped: [] });
  assert.match((await ops("stop", "layer9-none")).stderr, /^error\[OPS_LAYER\]: stack local: .*\n {2}found: {4}layer9-none\n/);
});

test("the report of all this: what each layer holds, what was rebuilt and why, what was stopped", async () => {
  const { stdout } = await sandbox.run("node", ["infra/ops.ts", "report", "--out", ".local/report"]);
  const file = sandbox.host(stdout.trim());
  const { code } = await sandbox.run("node", ["infra/ops.ts", "report", "--out", ".local/report", "--json"]);
  assert.equal(code, 0);
  const browser = await startBrowser();
  try {
    await using opened = await openPage(browser, pathToFileURL(file).href, { width: 360, scheme: "dark" });
    await assertGoodPage(opened);
    const part = async (name: string) => (await opened.page.locator("main > details").filter({ has: opened.page.locator("summary > b", { hasText: name }) }).textContent()) ?? "";
    const perf = await part("layer5-perf");
    assert.match(perf, /Last rebuilt \d{4}-\d\d-\d\d \d\d:\d\d UTC: layer5-perf\/default\.nix changed\./);
    assert.match(perf, /LAYER_STOPPED/);
    assert.match(await part("layer3-pytorch"), /the first build on record\..*numpy \d.*layer3-pytorch-site\d+\.\d MB/s);
    assert.match(await part("layer0-base"), /coreutils/);
    assert.equal(await opened.page.getByText("(now)").count(), 1);
    const parts = opened.page.getByRole("table", { name: "What the stacks need of the cache" }).locator("tbody tr");
    assert.equal(await parts.count(), 8);
    assert.equal(await parts.filter({ hasText: /ok/ }).count(), 8);
  } finally {
    await browser.close();
  }
});
