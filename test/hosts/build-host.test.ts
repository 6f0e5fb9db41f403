/** What a build host may lack, and what its scripts do about it: locked files, disk, builders, the trust of its Nix. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { layerAnswer, parseAnswer } from "../../infra/answers.ts";
import { protocol } from "../../infra/request.ts";
import { type Builder, startBuilder } from "../support/builder.ts";
import { assertFault, builtDerivations, newestLog, recordedCommand, runScript, storeName } from "../support/host-scripts.ts";
import { setCheck } from "../support/layer-edits.ts";
import { otherNix, withBucketNix } from "../support/other-nix.ts";
import { outputs } from "../support/outputs.ts";
import { freePort } from "../support/ports.ts";
import type { Result } from "../support/process.ts";
import { up } from "../support/pulumi.ts";
import { EMPTY_STORE, type Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

type Request = Readonly<Record<string, unknown>>;

async function recorded(sandbox: Sandbox, command: string): Promise<Request> {
  return JSON.parse((await recordedCommand(sandbox, command)).stdin) as Request;
}

test("locked files that are neither in the store nor in the cache are fetched when a layer wants them, and no others", async (t) => {
  await using sandbox = await warmSandbox();
  const request = await recorded(sandbox, "comfyui-layer2-wheels");
  const fetched = /layer2-wheels: files that the locks name are neither here nor in a cache: fetching them/;

  await t.test("with a cache that has all, none", async () => {
    await sandbox.wipeStore(EMPTY_STORE);
    const { stderr, stdout } = await runScript(sandbox, "build-layer", JSON.stringify(request));
    assert.doesNotMatch(stderr, fetched);
    assert.equal(parseAnswer(layerAnswer, stdout).built, 0);
  });

  await t.test("without a cache, those of the layer and of the tools that make it", async () => {
    await sandbox.wipeStore(EMPTY_STORE);
    const empty = { ...request, cache: { kind: "directory", path: ".local/empty-cache" } };
    await sandbox.bash("rm -rf .local/host/roots/prefetch");
    const { stderr, stdout } = await runScript(sandbox, "build-layer", JSON.stringify(empty));
    assert.match(stderr, fetched);
    assert.ok(parseAnswer(layerAnswer, stdout).built > 0);
    const { stdout: paths } = await sandbox.bash("nix path-info --all");
    const names = new Set(paths.trim().split("\n").map(storeName));
    const all = new Set(JSON.parse(readFileSync(sandbox.host("layers/package-sets/debian/debs/lock.json"), "utf8")).files.map(({ file }: { file: string }) => file) as string[]);
    assert.ok([...all].some((file) => !names.has(file)), "Debian packages of upper layers are not fetched");
    assert.ok([...all].some((file) => names.has(file)));
    assert.match(newestLog(sandbox, "layer2-wheels"), /^\{"present":\d+,"downloaded":\d+,"bytes":\d+,"relocked":\[\]\}$/m);
    // What was fetched outlives a garbage collection.
    const { stdout: roots } = await sandbox.bash("ls .local/host/roots/prefetch/sample | wc -l");
    assert.ok(Number(roots) > 0);
  });
});

test("HOST_DISK_FULL: where a build could not end, none is started; where the disk fills during one, the message says so", async (t) => {
  await using sandbox = await warmSandbox();
  const request = JSON.stringify(await recorded(sandbox, "comfyui-layer6-app"));
  await t.test("the disk of logs and copies", async () => {
    const script = `mkdir .local/small; mount -t tmpfs -o size=50m tmpfs .local/small; COMFYUI_STATE=$PWD/.local/small exec bash infra/hosts/build-layer.sh`;
    const result = await sandbox.run("unshare", ["--mount", "bash", "-euc", script], { input: request, allowFailure: true });
    assertFault(result, "HOST_DISK_FULL", ["too little room on this host to build layer6-app; nothing was started", /found: .*\.local\/small 0\.1 GB free/, "/nix/store 1.0 GB", "nix-collect-garbage"]);
    assert.doesNotMatch(result.stderr, /building/);
  });
  await t.test("the store's disk, by what the layer took last time", async () => {
    const [record = ""] = (await sandbox.bash("ls .local/host/records/layer6-app/*.json")).stdout.trim().split("\n");
    const text = readFileSync(sandbox.host(record), "utf8");
    assert.match(text, /"buildBytes":[1-9]\d+\}/);
    writeFileSync(sandbox.host(record), text.replace(/"buildBytes":\d+/, '"buildBytes":9000000000000'));
    assertFault(await runScript(sandbox, "build-layer", request, { allowFailure: true }), "HOST_DISK_FULL", [/expected: \/nix\/store 9000\.0 GB/]);
    writeFileSync(sandbox.host(record), text);
  });
  await t.test("during the build", async () => {
    setCheck(sandbox.host("layers"), "layer6-app", "head -c 200000000 /dev/zero > large");
    await sandbox.bash("mkdir -p /nix/small && mount -t tmpfs -o size=60m tmpfs /nix/small");
    const update = await up(sandbox, { env: { NIX_CONFIG: `${sandbox.env["NIX_CONFIG"]}\nbuild-dir = /nix/small\n` }, allowFailure: true });
    assert.match(update.process.stdout, /error\[HOST_DISK_FULL\]: layer6-app: the disk was full before the build was done \(log: .*\.log\)/);
    await sandbox.bash("umount /nix/small");
  });
});

/** An `up` whose layer 6 a builder is building. */
async function buildingThere(sandbox: Sandbox, builder: Builder, jobs: number, seconds: number): Promise<{ done: ReturnType<typeof up>; runs: () => number }> {
  setCheck(sandbox.host("layers"), "layer6-app", `sleep ${seconds}`);
  const runs = () => builder.sandbox.processes(new RegExp(`^sleep ${seconds}`)).length;
  const done = up(sandbox, { env: builder.environment(sandbox, jobs), allowFailure: true });
  while (runs() === 0) await sleep(50);
  return { done, runs };
}

test("a builder that dies in the middle: the build is tried again, here or there, and ends", async () => {
  await using sandbox = await warmSandbox();
  await using builder = await startBuilder();
  const { done } = await buildingThere(sandbox, builder, 1, 7);
  await builder.ssh.cut();
  const update = await done;
  assert.equal(update.result, "succeeded");
  assert.match(update.process.stdout, /layer6-app: a builder was lost: attempt 2 of 3/);
  const log = newestLog(sandbox, "layer6-app");
  assert.match(log, /^building '.*' on 'ssh-ng:/m);
  // Built twice, counted once.
  const { built } = (await outputs(sandbox)).layers["layer6-app"] ?? {};
  assert.equal(built, new Set(builtDerivations(log)).size);
});

test("BUILDER_LOST: builders that are gone for good end the build after three attempts; a build that fails there is not tried again", async (t) => {
  await using sandbox = await warmSandbox();
  await using builder = await startBuilder();
  await t.test("gone", async () => {
    const { done } = await buildingThere(sandbox, builder, 0, 7);
    await builder.ssh.cut();
    const { process } = await done;
    assert.match(process.stdout, /layer6-app: a builder was lost: attempt 3 of 3/);
    assert.match(process.stdout, /error\[BUILDER_LOST\]: layer6-app: Nix lost its builders 3 times \(log: .*\.log\)/);
    await builder.ssh.resume();
  });
  await t.test("failed", async () => {
    setCheck(sandbox.host("layers"), "layer6-app", "echo Connection refused >&2; exit 3");
    const { process } = await up(sandbox, { env: builder.environment(sandbox, 0), allowFailure: true });
    assert.match(process.stdout, /error\[LAYER_BUILD_FAILED\]: layer6-app did not build/);
    assert.doesNotMatch(process.stdout, /a builder was lost/);
  });
});

/** A Nix daemon that trusts nobody, with this nix.conf, and the environment of its users. */
async function untrusting(sandbox: Sandbox, lines: readonly string[]): Promise<Readonly<Record<string, string>>> {
  mkdirSync(sandbox.host("nix-conf"), { recursive: true });
  const settings = ["experimental-features = nix-command flakes", "trusted-users = nobody", "build-users-group =", "sandbox = true", "sandbox-paths =", ...lines];
  writeFileSync(sandbox.host("nix-conf/nix.conf"), `${settings.join("\n")}\n`);
  const conf = { NIX_CONF_DIR: `${sandbox.root}/nix-conf`, NIX_CONFIG: "" };
  sandbox.kill(/^nix-daemon/);
  sandbox.start("nix-daemon", [], { env: conf });
  while ((await sandbox.run("nix", ["store", "info"], { env: { ...conf, NIX_REMOTE: "daemon" }, allowFailure: true })).code !== 0) await sleep(50);
  return { ...conf, NIX_REMOTE: "daemon" };
}

test("a user whom Nix does not trust: HOST_NIX_CONFIG says all that nix.conf lacks; with it layers come from the cache all the same", async () => {
  await using sandbox = await warmSandbox();
  const { publicKey } = (await outputs(sandbox)).cache;
  const opening = JSON.stringify({ ...(await recorded(sandbox, "comfyui-cache")), substituters: [{ url: "https://cache.example.org", publicKey: "example-1:AAAA" }] });
  const layer = JSON.stringify(await recorded(sandbox, "comfyui-layer6-app"));
  const none = { NIX_REMOTE: "daemon" };
  assertFault(await runScript(sandbox, "build-layer", layer, { env: none, allowFailure: true }), "HOST_NIX_STORE", ["does not answer", "daemon"]);

  await sandbox.wipeStore(EMPTY_STORE);
  await sandbox.bash("nix-store --init");
  const bare = await untrusting(sandbox, ["substituters = https://cache.example.org/", "always-allow-substitutes = false"]);
  assertFault(await runScript(sandbox, "open-cache", opening, { env: bare, allowFailure: true }), "HOST_NIX_CONFIG", [
    "always-allow-substitutes is not true; narinfo-cache-positive-ttl is not 0; narinfo-cache-negative-ttl is not 0",
    `substituters lacks file://${sandbox.root}/.local/cache?priority=10;`,
    `trusted-public-keys lacks ${publicKey} example-1:AAAA`,
  ]);

  const full = await untrusting(sandbox, [
    `substituters = file://${sandbox.root}/.local/cache?priority=5`,
    "always-allow-substitutes = true",
    "narinfo-cache-positive-ttl = 0",
    "narinfo-cache-negative-ttl = 0",
    `trusted-public-keys = ${publicKey}`,
  ]);
  await runScript(sandbox, "open-cache", JSON.stringify({ ...(JSON.parse(opening) as object), substituters: [] }), { env: full });
  const { stdout } = await runScript(sandbox, "build-layer", layer, { env: full });
  const { built, substituted, cached } = parseAnswer(layerAnswer, stdout);
  assert.deepEqual([built, cached], [0, true]);
  assert.ok(substituted > 0);
  assert.doesNotMatch(newestLog(sandbox, "layer6-app"), /not a trusted user/);
  // And builds, of files that are fetched on demand.
  const wheels = { ...(await recorded(sandbox, "comfyui-layer0-base")), cache: { kind: "directory", path: ".local/empty-cache" } };
  await sandbox.killAll();
  await sandbox.wipeStore(EMPTY_STORE);
  await sandbox.bash("nix-store --init");
  const alone = await untrusting(sandbox, ["substituters =", "always-allow-substitutes = true"]);
  const base = await runScript(sandbox, "build-layer", JSON.stringify(wheels), { env: alone });
  assert.match(base.stderr, /fetching them/);
  assert.ok(parseAnswer(layerAnswer, base.stdout).built > 0);
});

test("a user whom Nix does not trust leaves out a cache and a mirror that are down, where they may fail", async () => {
  await using sandbox = await warmSandbox();
  const { stdout: secret } = await sandbox.run("nix", ["key", "generate-secret", "--key-name", "gone-1"]);
  const { stdout } = await sandbox.run("nix", ["key", "convert-secret-to-public"], { input: secret });
  const asked = { kind: "nix-serve", name: "gone", publicKey: stdout.trim() };
  const url = `http://127.0.0.1:${await freePort()}`;
  const push = { host: "127.0.0.1", port: 9, user: "comfyui-push", hostKey: "ssh-ed25519 AAAA" };
  const bucket = await freePort();
  const mirror = { url: `s3://mirror?region=eu-central-1&scheme=http&endpoint=127.0.0.1:${bucket}`, readUrl: `http://127.0.0.1:${bucket}/mirror?priority=60` };
  const cache = { ...asked, url, push, trusted: [], signingKey: secret, auth: null, onFailure: "continue", mirror };
  await sandbox.wipeStore(EMPTY_STORE);
  await sandbox.bash("nix-store --init");
  const conf = await untrusting(sandbox, [`substituters = ${url} ${mirror.readUrl}`, `trusted-public-keys = ${asked.publicKey}`, "always-allow-substitutes = true", "narinfo-cache-positive-ttl = 0", "narinfo-cache-negative-ttl = 0"]);
  const env = { ...conf, PATH: await withBucketNix(sandbox.env["PATH"]) };
  await runScript(sandbox, "open-cache", JSON.stringify({ protocol, stack: "gone", cache, substituters: [] }), { env });
  const request = { ...(await recorded(sandbox, "comfyui-layer2-wheels")), cache: asked };
  const result = await runScript(sandbox, "build-layer", JSON.stringify(request), { env });
  assert.match(result.stderr, /^warning\[CACHE_UNREACHABLE\]/m);
  assert.match(result.stderr, /^warning\[CACHE_MIRROR\]/m);
  assert.equal(parseAnswer(layerAnswer, result.stdout).cached, false);
  assert.doesNotMatch(newestLog(sandbox, "layer2-wheels"), /not a trusted user|unable to download 'http/);
});

test("HOST_NIX_BUCKETS: a Nix that was built without it", async () => {
  await using sandbox = await warmSandbox();
  const { stdout: secret } = await sandbox.run("nix", ["key", "generate-secret", "--key-name", "bucket-1"]);
  const { stdout: publicKey } = await sandbox.run("nix", ["key", "convert-secret-to-public"], { input: secret });
  const cache = { kind: "s3", name: "bucket", url: "s3://layers?region=eu-central-1", publicKey: publicKey.trim(), trusted: [], signingKey: secret, onFailure: "fail" };
  const request = JSON.stringify({ protocol, stack: "s3", cache, substituters: [] });
  const result: Result = await sandbox.run("env", [`PATH=${await otherNix()}:${sandbox.env["PATH"]}`, "bash", "infra/hosts/open-cache.sh"], { input: request, allowFailure: true });
  assertFault(result, "HOST_NIX_BUCKETS", ["built without S3", /found: +nix \(Nix\) 2\.26/, "a Nix that opens s3://layers?region=eu-central-1"]);
});
