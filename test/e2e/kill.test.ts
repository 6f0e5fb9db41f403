/** `kill -9` of any part of a run at any moment: after the documented command the next `up` comes to the undisturbed result. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { setCheck } from "../support/layer-edits.ts";
import { outputs } from "../support/outputs.ts";
import type { Process } from "../support/proc-tree.ts";
import { sendSignal } from "../support/process.ts";
import { COMMAND_PLUGIN } from "../support/pulumi-pieces.ts";
import { recover, type StartedUpdate, startUp, up } from "../support/pulumi.ts";
import { Random, testSeed } from "../support/random.ts";
import { Sandbox, type Snapshot } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

const SCRIPT = /^bash hosts\/(build-layer|publish-image)\.sh/;

/** The command line of the process that does the work of a moment. */
const MOMENTS = {
  /** Nix evaluates and builds a layer. */
  building: /^nix build .*\.#legacyPackages\.[^ ]*\.layer/,
  copying: /^nix copy /,
  /** A path's signature is written when its file is in the cache: the copy has written some, and goes on. */
  signing: /^nix copy /,
  verifying: /^nix store verify /,
  "putting the image together": /^nix build .*\.comfyui /,
  publishing: /^skopeo .* copy /,
} as const;

type MomentName = keyof typeof MOMENTS;
type Target = "pulumi" | "plugin" | "script" | "nix";

interface Kill {
  readonly target: Target;
  readonly moment: MomentName;
  /** How many times the moment is let pass, and how many milliseconds into it the kill comes. */
  readonly skip: number;
  readonly delay: number;
}

/** Less than the moment usually lasts. */
const DELAYS = { building: 1500, copying: 80, signing: 5, verifying: 15, "putting the image together": 80, publishing: 80 } as const;

/** Ten kills: every moment and every target; which meets which, in which layer, and how late, is the seed's choice. */
function plannedKills(seed: string): Kill[] {
  const random = new Random(seed);
  const targets: Target[] = random.shuffled(["pulumi", "pulumi", "pulumi", "plugin", "plugin", "script", "script", "script", "nix", "nix"]);
  const moments: MomentName[] = ["building", "building", "building", "copying", "copying", "signing", "verifying", "putting the image together", "publishing", "publishing"];
  return moments.map((moment, at) => {
    const once = moment === "publishing" || moment === "putting the image together";
    return { target: targets[at] as Target, moment, skip: once ? 0 : random.below(2), delay: random.below(DELAYS[moment]) };
  });
}

function victims(target: Target, worker: Process, all: readonly Process[]): Process[] {
  switch (target) {
    case "pulumi":
      return all.filter(({ command }) => command.startsWith("pulumi up "));
    case "plugin":
      return all.filter(({ command }) => COMMAND_PLUGIN.test(command));
    case "script":
      return ancestors(worker, all).filter(({ command }) => SCRIPT.test(command)).slice(-1);
    case "nix":
      // At the moment of publishing it is skopeo that works.
      return [worker];
  }
}

function ancestors({ parent }: Process, all: readonly Process[]): Process[] {
  const found = all.find(({ pid }) => pid === parent);
  return found === undefined ? [] : [found, ...ancestors(found, all)];
}

function narinfos(sandbox: Sandbox): number {
  return readdirSync(sandbox.host(".local/cache")).filter((name) => name.endsWith(".narinfo")).length;
}

/** Waits for the kill's moment, and kills; answers what. Nothing where the run was faster than this, each time. */
async function strike(sandbox: Sandbox, { running }: StartedUpdate, { target, moment, skip, delay }: Kill): Promise<Process[]> {
  /** How many paths the cache had when a worker was first seen. */
  const seen = new Map<number, number>();
  for (; !running.ended; await sleep(5)) {
    const all = sandbox.processes();
    const worker = all.findLast(({ command }) => MOMENTS[moment].test(command));
    if (worker === undefined) continue;
    if (!seen.has(worker.pid)) seen.set(worker.pid, narinfos(sandbox));
    if (seen.size <= skip || (moment === "signing" && narinfos(sandbox) === seen.get(worker.pid))) continue;
    const found = victims(target, worker, all);
    if (delay > 0) await sleep(delay);
    const still = new Set(sandbox.processes().map(({ pid }) => pid));
    const alive = found.filter(({ pid }) => still.has(pid));
    for (const { pid } of alive) sendSignal(pid, "SIGKILL");
    if (alive.length > 0) return alive;
  }
  return [];
}

/** What a run leaves that must not depend on how it went. */
async function result(sandbox: Sandbox): Promise<unknown> {
  const { layers, image } = await outputs(sandbox);
  const blobs = Object.entries(layers).map(([attr, { blobs, storePath, fingerprint }]) => [attr, fingerprint, storePath, ...blobs.map(({ digest }) => digest)]);
  return { blobs, digest: image.digest, size: image.size, reference: image.reference };
}

/** Every path of the cache is whole and signed; every blob of the published layout is what its name says. */
async function assertSound(sandbox: Sandbox): Promise<void> {
  await sandbox.bash('nix store verify --all --sigs-needed 1 --store "file://$PWD/.local/cache" --option trusted-public-keys "$(cat .local/keys/cache.public)"');
  await sandbox.bash('cd .local/images/blobs/sha256 && for blob in *; do case $blob in oci-put-blob*) ;; *) echo "$blob  $blob" ;; esac; done | sha256sum --check --quiet');
}

let start: Snapshot;
let undisturbed: unknown;

before(async () => {
  await using sandbox = await warmSandbox();
  // Two layers side by side, the one on them, and the image are to be made again.
  for (const layer of ["layer4-deps", "layer5-perf"]) setCheck(sandbox.host("layers"), layer, "true");
  start = await sandbox.snapshot();
  await up(sandbox);
  undisturbed = await result(sandbox);
  await assertSound(sandbox);
});
after(() => start.stop());

/** Answers whether the moment was met. */
async function killAndRecover(t: TestContext, kill: Kill): Promise<boolean> {
  await using sandbox = await Sandbox.from(start);
  const started = await startUp(sandbox, { allowFailure: true });
  const killed = await strike(sandbox, started, kill);
  const first = await started.finish();
  if (killed.length === 0) return false;
  assert.notEqual(first.process.code, 0);
  const alive = sandbox.processes(SCRIPT).length > 0;
  const recovered = await recover(sandbox);
  const { ran } = await up(sandbox);
  const names = killed.map(({ command }) => command.split(" ").slice(0, 2).join(" ").replace(/.*\//, ""));
  t.diagnostic(`killed ${names.join(", ")}; a script ${alive ? "lived on" : "did not live on"}; ${recovered.stdout.trim().split("\n").at(-1)}; then ran: ${ran.join(" ")}`);
  assert.deepEqual(await result(sandbox), undisturbed);
  await assertSound(sandbox);
  return true;
}

const seed = testSeed("kills");

test("after kill -9 at ten moments, recover and up come to the digests of an undisturbed run", { timeout: 20 * 60_000, concurrency: 2 }, async (t) => {
  t.diagnostic(`seed ${seed} (COMFYUI_TEST_SEED)`);
  const kills = plannedKills(seed).map((kill) => {
    const { target, moment, skip, delay } = kill;
    return t.test(`kill -9 ${target} while ${moment} (the ${["first", "second"][skip]} time, after ${delay} ms)`, async (each) => {
      // A moment that was over is met earlier.
      for (const earlier of [1, 0.5, 0]) if (await killAndRecover(each, { ...kill, delay: Math.round(delay * earlier) })) return;
      assert.fail("the run was over before this moment, three times");
    });
  });
  await Promise.all(kills);
});

/** A sandbox in which layer 6 takes a while to build, and a run that is building it. */
async function slowBuild(seconds: string): Promise<{ sandbox: Sandbox; started: StartedUpdate; sleepers: () => Process[] }> {
  const sandbox = await warmSandbox();
  const file = sandbox.host("layers/layer6-app/default.nix");
  writeFileSync(file, readFileSync(file, "utf8").replace("check = ''\n", `check = ''\n    sleep ${seconds}\n`));
  const sleepers = () => sandbox.processes(new RegExp(`^sleep ${seconds}$`));
  const started = await startUp(sandbox, { allowFailure: true });
  while (!started.running.ended && sleepers().length === 0) await sleep(10);
  assert.equal(sleepers().length, 1, "layer 6 is being built");
  return { sandbox, started, sleepers };
}

/** The derivations of layer 6 that were built by the runs since the first `up`, from all of their logs. */
function builtOf(sandbox: Sandbox, fingerprint: string | undefined): string[] {
  const folder = sandbox.host(".local/host/logs/layer6-app");
  const logs = readdirSync(folder).filter((name) => name.endsWith(`-${fingerprint}.log`));
  const lines = logs.flatMap((name) => readFileSync(`${folder}/${name}`, "utf8").split("\n"));
  return lines.flatMap((line) => /^building '\/nix\/store\/[a-z0-9]{32}-(.*)\.drv'/.exec(line)?.[1] ?? []).sort();
}

test("a script killed while its nix build lives is joined: the next up waits, takes the result, and builds nothing again", async () => {
  const { sandbox, started, sleepers } = await slowBuild("12.25");
  await using _ = sandbox;
  const [builder] = sleepers();
  // The engine too: it would otherwise wait for the build.
  const killed = sandbox.kill(/^pulumi up |^bash hosts\/build-layer\.sh/);
  assert.ok(killed.some(({ command }) => SCRIPT.test(command)));
  await started.finish();
  await recover(sandbox);
  const joining = await startUp(sandbox);
  while (!joining.running.ended && !/layer6-app: joining/.test(joining.running.output().stdout)) {
    assert.deepEqual(sleepers().map(({ pid }) => pid), [builder?.pid], "the build of the killed script goes on, and is the only one");
    await sleep(50);
  }
  const update = await joining.finish();
  assert.match(update.process.stdout, /layer6-app: joining the build that is running already/);
  assert.deepEqual(update.ran, ["comfyui-layer6-app", "comfyui-publish-image"]);
  const { fingerprint, built } = (await outputs(sandbox)).layers["layer6-app"] ?? {};
  assert.deepEqual(builtOf(sandbox, fingerprint), ["layer6-app-check", "layer6-app-checks"]);
  assert.equal(built, 0);
});

test("a script killed alone: its nix build ends in order, and the next up takes the result", async () => {
  const { sandbox, started } = await slowBuild("3.25");
  await using _ = sandbox;
  sandbox.kill(/^bash hosts\/build-layer\.sh/);
  const { process: run } = await started.finish();
  assert.equal(run.code, 1);
  assert.match(run.stdout, /signal: killed/);
  const update = await up(sandbox);
  assert.deepEqual(update.ran, ["comfyui-layer6-app", "comfyui-publish-image"]);
  const { fingerprint, built } = (await outputs(sandbox)).layers["layer6-app"] ?? {};
  assert.deepEqual(builtOf(sandbox, fingerprint), ["layer6-app-check", "layer6-app-checks"]);
  assert.equal(built, 0);
});
