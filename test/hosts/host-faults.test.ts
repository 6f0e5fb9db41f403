/**
 * What goes wrong on a build host and a cache host of their own: each time one message with a code, nothing lost or published
 * half, and the next `up` comes to the end. The tests go on from each other's state.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { HostMachine } from "../support/host-machine.ts";
import { makeKeyPair } from "../support/host-network.ts";
import { HostStack } from "../support/host-stack.ts";
import { setCheck } from "../support/layer-edits.ts";
import { outputs } from "../support/outputs.ts";
import { startUp, type StartedUpdate, up, type Update } from "../support/pulumi.ts";
import { EMPTY_STORE, Sandbox } from "../support/sandbox.ts";

const LAYER6 = ["comfyui-layer6-app", "comfyui-publish-image"];
const EDITED = ["comfyui-build-host-sources", "comfyui-build-host-upload", ...LAYER6];

let stack: HostStack;

before(async () => {
  stack = await HostStack.start({ server: "harmonia", disks: { build: 6000, cache: 4000 } });
  await stack.configure();
  await up(stack.laptop, { timeout: 900_000 });
});
after(() => stack?.stop());

let edits = 0;
/** Another layer 6, whose check takes these seconds. */
function edit(seconds = 0): void {
  setCheck(stack.laptop.host("layers"), "layer6-app", `sleep ${seconds}.0${++edits}`);
}

function assertFailed({ process: { code, stdout } }: Update, fault: string, ...says: readonly (string | RegExp)[]): void {
  assert.notEqual(code, 0, stdout);
  const [, report = ""] = stdout.split("Diagnostics:");
  assert.equal(report.split(`error[${fault}]`).length - 1, 1, stdout);
  assert.match(report, /^ +fix: {6}\S/m);
  assert.doesNotMatch(report, /^ +at |Unhandled|Error:/m);
  for (const words of says) assert.ok(typeof words === "string" ? report.includes(words) : words.test(report), `${words} is not in:\n${report}`);
}

const failingUp = () => up(stack.laptop, { allowFailure: true });

/** The image of the last run is in the registry, and every path of the cache is whole and signed. */
async function assertSound(): Promise<void> {
  const { image, layers } = await outputs(stack.laptop);
  assert.ok(Object.values(layers).every(({ cached }) => cached));
  assert.equal(await stack.published(image.tag), image.digest);
  await stack.cache.bash(`nix store verify --store local --all --sigs-needed 1 --option trusted-public-keys '${stack.signing.public}'`);
}

/** An `up` of an edit whose check runs on the build host now. */
async function building(seconds: number): Promise<StartedUpdate> {
  edit(seconds);
  const started = await startUp(stack.laptop, { allowFailure: true });
  const sleeps = `pgrep -f '^sleep ${seconds}\\.0${edits}$'`;
  while (!started.running.ended && (await stack.build.bash(sleeps, { allowFailure: true })).code !== 0) await sleep(100);
  assert.ok(!started.running.ended, started.running.output().stdout);
  return started;
}

test("HOST_UNREACHABLE: the build host is off when up begins", async () => {
  edit();
  await stack.build.stop();
  assertFailed(await failingUp(), "HOST_UNREACHABLE", `comfyui@${stack.build.address}`);
  await stack.restart(stack.build);
  assert.deepEqual((await up(stack.laptop)).ran, EDITED);
});

test("the cable is pulled for some seconds in a build: the same up comes to its end", async () => {
  const started = await building(10);
  await stack.build.disconnect();
  await sleep(4000);
  await stack.build.reconnect();
  const update = await started.finish();
  assert.equal(update.process.code, 0, update.process.stdout);
});

test("LAYER_STOPPED: a build on a host is followed and stopped from here; nothing of it lives on there", async () => {
  const started = await building(60);
  const ops = (...args: string[]) => stack.laptop.start("node", ["infra/ops.ts", "builds", ...args]);
  const following = ops("follow", "layer6-app");
  await following.outputMatches(/^building '\/nix\/store\/.*-layer6-app-check\.drv'/m);
  assert.equal((await ops("stop").done).stdout, "layer6-app: stopped\n");
  assertFailed(await started.finish(), "LAYER_STOPPED");
  const { code, stdout } = await following.done;
  assert.match(stdout, /^layer6-app: LAYER_STOPPED, /m);
  assert.equal(code, 2);
  assert.equal((await stack.build.bash("sleep 1; pgrep -f '^sleep 60|^nix build|^timeout|infra/hosts/'", { allowFailure: true })).stdout, "");
  const { runs } = JSON.parse((await ops("--json").done).stdout) as { runs: Record<string, { code?: string }[]> };
  assert.equal(runs["layer6-app"]?.at(-1)?.code, "LAYER_STOPPED");
});

test("sshd is restarted in a build: its sessions live on", async () => {
  const started = await building(4);
  // The next one wants the port, and does not say so where it cannot have it.
  await stack.build.bash("kill $(cat /run/sshd.pid); while ss -Hltn 'sport = :22' | grep -q .; do sleep 0.1; done; /usr/sbin/sshd");
  const update = await started.finish();
  assert.equal(update.process.code, 0, update.process.stdout);
  assert.equal((await outputs(stack.laptop)).layers["layer6-app"]?.reused, false);
});

test("the build host is switched off in a build: up says so; on again, the next up builds", async () => {
  const started = await building(30);
  await stack.build.stop();
  assertFailed(await started.finish(), "HOST_UNREACHABLE");
  await stack.restart(stack.build);
  edit();
  const { ran } = await up(stack.laptop);
  assert.deepEqual(ran, EDITED);
  await assertSound();
});

test("HOST_CLOCK_SKEW: the build host's clock is an hour ahead", async () => {
  await stack.build.bash("printf '#!/bin/sh\\nexec /usr/bin/date -d \"+1 hour\" \"$@\"\\n' >/usr/local/bin/date; chmod +x /usr/local/bin/date");
  edit();
  assertFailed(await failingUp(), "HOST_CLOCK_SKEW", /found: +3600 s ahead|found: +3599 s ahead|found: +3601 s ahead/);
  await stack.build.bash("rm /usr/local/bin/date");
  assert.deepEqual((await up(stack.laptop)).ran, EDITED);
});

test("HOST_KEY_MISMATCH and HOST_LOGIN_REFUSED: the cache host shows another key, or knows the login no more", async () => {
  const other = await makeKeyPair(stack.laptop.folder, "other");
  await stack.configure({ cacheHost: { hostKey: other.public } });
  assertFailed(await failingUp(), "HOST_KEY_MISMATCH", `root@${stack.cache.address}`);
  await stack.configure({}, { "binaryCache.host.privateKey": other.private });
  assertFailed(await failingUp(), "HOST_LOGIN_REFUSED", `root@${stack.cache.address}`);
  await stack.configure();
  await up(stack.laptop);
});

test("CACHE_UNREACHABLE: the cache host is off when up begins; where it may fail, up goes on and says so, and a later up pushes", async (t) => {
  edit();
  await stack.cache.stop();
  assertFailed(await failingUp(), "CACHE_UNREACHABLE", "team at http://");
  await stack.configure({ binaryCache: { onFailure: "continue" } });
  const update = await up(stack.laptop);
  t.diagnostic(`without the cache this took ${update.process.seconds.toFixed(0)} s`);
  assert.match(update.process.stdout, /warning\[CACHE_UNREACHABLE\]: .*going on without the cache/);
  const { layers } = await outputs(stack.laptop);
  assert.equal(layers["layer6-app"]?.cached, false);
  await stack.restart(stack.cache);
  await stack.configure();
  edit();
  await up(stack.laptop);
  await assertSound();
  await stack.cache.bash(`nix-store --check-validity ${layers["layer6-app"]?.storePath}`);
});

test("CACHE_PUSH_FAILED: the cache host's connection breaks in a push; the next up pushes", async () => {
  edit();
  const cutting = stack.cache.bash("until pgrep -f '^nix-store --serve --write'; do sleep 0.01; done; pkill -KILL sshd", { allowFailure: true });
  assertFailed(await failingUp(), "CACHE_PUSH_FAILED", "could not copy to the cache team");
  await cutting;
  await stack.cache.startSshd();
  assert.deepEqual((await up(stack.laptop)).ran, LAYER6);
  await assertSound();
});

test("PUBLISH_FAILED: the registry is gone in the middle of a blob: nothing is under the tag, and the next up publishes", async () => {
  edit();
  await stack.proxy.cutAfter(20_000);
  const update = await failingUp();
  assertFailed(update, "PUBLISH_FAILED");
  const [, tag = ""] = /comfyui:([0-9a-f]{12})/.exec(update.process.stdout) ?? [];
  assert.equal(await stack.published(tag), null);
  await stack.proxy.mend();
  assert.deepEqual((await up(stack.laptop)).ran, ["comfyui-publish-image"]);
  await assertSound();
});

/** An `up` while only so many MiB are free on the disk of a machine's store. */
async function upOnFullDisk(machine: HostMachine, free: number): Promise<Update> {
  await machine.bash(`fallocate -l $(( $(df --output=avail -B1 /nix | tail -n 1) - ${free} * 1048576 )) /nix/full`);
  return failingUp().finally(() => machine.bash("rm /nix/full"));
}

test("HOST_DISK_FULL: the build host's disk is nearly full: nothing is started, and the message has the sizes", async () => {
  edit();
  assertFailed(await upOnFullDisk(stack.build, 400), "HOST_DISK_FULL", "nothing was started", /found: +\/nix 0\.4 GB/, /expected: +\/nix\/store 1\.0 GB/);
  assert.deepEqual((await up(stack.laptop)).ran, LAYER6);
});

test("CACHE_DISK_FULL: the cache's disk is nearly full: it takes nothing more, and serves what it has", async () => {
  edit();
  assertFailed(await upOnFullDisk(stack.cache, 300), "CACHE_DISK_FULL", /\b(300|299) MiB free of \d+ MiB/);
  assert.deepEqual((await up(stack.laptop)).ran, LAYER6);
  await assertSound();
});

test("CACHE_LOGIN_REFUSED: the cache host does not know the push key any more", async () => {
  edit();
  const file = "/etc/ssh/comfyui/comfyui-push";
  await stack.cache.bash(`mv ${file} ${file}.away`);
  const update = await failingUp().finally(() => stack.cache.bash(`mv ${file}.away ${file}`));
  assertFailed(update, "CACHE_LOGIN_REFUSED", /expected: ssh-ed25519 /);
  assert.deepEqual((await up(stack.laptop)).ran, LAYER6);
});

test("two stacks build on one host at once, and push to one cache", async () => {
  await using other = await Sandbox.create({ store: EMPTY_STORE, env: { PULUMI_STACK: "other" } });
  await other.bash("cp stacks/Pulumi.local.yaml stacks/Pulumi.other.yaml");
  await stack.configure({}, {}, other);
  for (const laptop of [stack.laptop, other]) setCheck(laptop.host("layers"), "layer6-app", "sleep 3.25");
  const [mine, theirs] = await Promise.all([up(stack.laptop), up(other)]);
  assert.deepEqual(mine.ran, EDITED);
  const built = [mine, theirs].map(({ process }) => process.code);
  assert.deepEqual(built, [0, 0]);
  const [one, two] = await Promise.all([outputs(stack.laptop), outputs(other)]);
  assert.deepEqual(one.image.digest, two.image.digest);
  const counts = [one, two].map(({ layers }) => layers["layer6-app"]?.built ?? 0);
  assert.ok(Math.min(...counts) < Math.max(...counts), `Nix builds each derivation once: ${counts.join(" and ")}`);
  await assertSound();
});
