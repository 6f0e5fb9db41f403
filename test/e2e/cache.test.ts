/** The binary cache's promises: with it an empty Nix store builds nothing twice, and nothing comes in without a valid signature. */
import assert from "node:assert/strict";
import { appendFileSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { layerAnswer, parseAnswer } from "../../infra/answers.ts";
import { builtDerivations, newestLog, recordedCommand, runScript, storeName } from "../support/host-scripts.ts";
import { outputs } from "../support/outputs.ts";
import { prefetchedStore } from "../support/prefetched-store.ts";
import type { Result } from "../support/process.ts";
import { up } from "../support/pulumi.ts";
import { EMPTY_STORE, type Sandbox } from "../support/sandbox.ts";
import { configure } from "../support/stack-config.ts";
import { warmSandbox } from "../support/warm.ts";

/** A machine that has the cache and its key, but no Nix store and no Pulumi state. */
async function forget(sandbox: Sandbox): Promise<void> {
  await sandbox.wipeStore(EMPTY_STORE);
  for (const folder of [".local/backend/.pulumi", ".local/host"]) rmSync(sandbox.host(folder), { recursive: true });
}

/** All derivations that these two of layer 6 need, themselves included. */
async function derivationsOfLayer6(sandbox: Sandbox): Promise<Set<string>> {
  const attr = "path:./layers#legacyPackages.x86_64-linux.sample.zstd.layer6-app";
  const script = `for each in ${attr} ${attr}.checks ${attr}.blob; do nix-store --query --requisites "$(nix eval --raw "$each.drvPath")"; done`;
  const { stdout } = await sandbox.bash(script);
  return new Set(stdout.split("\n").filter((path) => path.endsWith(".drv")));
}

test("with a wiped store and a new state, all layers come from the cache: nothing is built", async () => {
  await using sandbox = await warmSandbox();
  const before = await outputs(sandbox);
  await forget(sandbox);
  const update = await up(sandbox);
  assert.equal(update.ran.length, 10, "every command ran");
  const { layers, image } = await outputs(sandbox);
  for (const [attr, { built, substituted, reused, storePath, blobs }] of Object.entries(layers)) {
    assert.deepEqual([built, reused], [0, false], attr);
    assert.ok(substituted > 0, `${attr} came from the cache`);
    assert.deepEqual({ storePath, blobs }, { storePath: before.layers[attr]?.storePath, blobs: before.layers[attr]?.blobs });
  }
  assert.deepEqual(builtDerivations(newestLog(sandbox, "image")), []);
  assert.deepEqual([image.digest, image.status, image.sentBytes], [before.image.digest, "already published", 0]);
});

test("with a wiped store, an edit of layer 6 builds what is layer 6's own, and nothing of the layers below or of their tools", async () => {
  await using sandbox = await warmSandbox();
  const before = await derivationsOfLayer6(sandbox);
  await sandbox.wipeStore(EMPTY_STORE);
  appendFileSync(sandbox.host("layers/layer6-app/app/main.py"), "# an edit\n");
  const update = await up(sandbox);
  assert.deepEqual(update.ran, ["comfyui-layer6-app", "comfyui-publish-image"]);

  const built = builtDerivations(newestLog(sandbox, "layer6-app"));
  const changed = [...(await derivationsOfLayer6(sandbox))].filter((path) => !before.has(path)).sort();
  // A derivation's file is not built; what is, is one of these.
  assert.deepEqual(built, changed);
  assert.deepEqual(built.map(storeName).sort(), ["comfyui-program.drv", "comfyui-runtime.drv", "layer6-app-blob.drv", "layer6-app-checks.drv", "layer6-app-smoke.drv", "layer6-app.drv"]);
  assert.equal((await outputs(sandbox)).layers["layer6-app"]?.built, built.length);
  assert.deepEqual(builtDerivations(newestLog(sandbox, "image")).map(storeName), ["comfyui-image.drv"]);
});

/** The cache's own file about a store path. */
function narinfo(sandbox: Sandbox, path: string): string {
  return sandbox.host(`.local/cache/${path.slice("/nix/store/".length).slice(0, 32)}.narinfo`);
}

function dropSignatures(file: string): void {
  writeFileSync(file, readFileSync(file, "utf8").replace(/^Sig: .*\n/gm, ""));
}

function flipOneBit(sandbox: Sandbox, path: string): void {
  const [, url = ""] = /^URL: (.+)$/m.exec(readFileSync(narinfo(sandbox, path), "utf8")) ?? [];
  const file = sandbox.host(`.local/cache/${url}`);
  const content = readFileSync(file);
  const middle = content.length >> 1;
  content.writeUInt8(content.readUInt8(middle) ^ 1, middle);
  writeFileSync(file, content);
}

async function signByAnother(sandbox: Sandbox, path: string): Promise<void> {
  dropSignatures(narinfo(sandbox, path));
  await sandbox.bash(
    'nix key generate-secret --key-name other-1 > "$TMPDIR/key" && nix store sign --store "file://$PWD/.local/cache" --key-file "$TMPDIR/key" "$1"'.replace("$1", path),
  );
  assert.match(readFileSync(narinfo(sandbox, path), "utf8"), /^Sig: other-1:/m);
}

interface Rebuilt {
  readonly sandbox: Sandbox;
  /** What was damaged: the layer's contents. */
  readonly path: string;
  readonly result: Result;
  /** Builds once more. */
  again(): Promise<Result>;
}

/** Layer 5 on an empty store, after its contents in the cache were damaged. */
async function rebuildAfter(damage: (sandbox: Sandbox, path: string) => void | Promise<void>, assertEnd: (rebuilt: Rebuilt) => void | Promise<void>): Promise<void> {
  await using sandbox = await warmSandbox();
  const path = (await outputs(sandbox)).layers["layer5-perf"]?.storePath as string;
  const { stdin } = await recordedCommand(sandbox, "comfyui-layer5-perf");
  await sandbox.wipeStore(EMPTY_STORE);
  await damage(sandbox, path);
  const again = () => runScript(sandbox, "build-layer", stdin, { allowFailure: true });
  const result = await again();
  const log = newestLog(sandbox, "layer5-perf");
  assert.ok(builtDerivations(log).map(storeName).includes("layer5-perf.drv"), "what the cache offered was refused, and built");
  assert.doesNotMatch(log, new RegExp(`^building .*layer[0134]-`, "m"), "what is in order is taken from the cache all the same");
  await assertEnd({ sandbox, path, result, again });
}

/** A path without a valid signature stays in the cache, so the layer does not count as done, until it is done what the error says. */
async function assertUnsigned({ sandbox, path, result: { code, stderr, stdout }, again }: Rebuilt): Promise<void> {
  assert.deepEqual([code, stdout], [1, ""], stderr);
  assert.match(stderr, /^error\[CACHE_SIGNATURE\]: the cache in .* has paths that its key did not sign: .*layer5-perf/m);
  assert.match(newestLog(sandbox, "layer5-perf"), /lacks a signature by a trusted key|not signed by any of the keys/);

  rmSync(narinfo(sandbox, path));
  const { code: then } = await again();
  assert.equal(then, 0);
  assert.ok(readFileSync(narinfo(sandbox, path), "utf8").includes(`Sig: ${(await outputs(sandbox)).cache.publicKey.split(":")[0]}:`), "signed by the cache's key");
}

test("one flipped bit in a NAR is refused, and the cache is mended", () =>
  rebuildAfter(flipOneBit, async ({ sandbox, result: { code, stdout }, again }) => {
    assert.equal(code, 0);
    assert.ok(parseAnswer(layerAnswer, stdout).built > 0);
    assert.match(newestLog(sandbox, "layer5-perf"), /hash mismatch|corrupt|bad archive|cannot be substituted|decompress/i);
    await sandbox.wipeStore(EMPTY_STORE);
    const { built, substituted } = parseAnswer(layerAnswer, (await again()).stdout);
    assert.ok(built === 0 && substituted > 0, "the next machine takes it from the cache again");
  }));

test("CACHE_SIGNATURE: a path signed by another key is refused, and named", () => rebuildAfter(signByAnother, assertUnsigned));

test("CACHE_SIGNATURE: a path without a signature is refused, and named", () =>
  rebuildAfter((sandbox, path) => dropSignatures(narinfo(sandbox, path)), assertUnsigned));

/** Names of all store paths in a cache's folder. */
function held(folder: string): Set<string> {
  const files = readdirSync(folder).filter((name) => name.endsWith(".narinfo"));
  return new Set(files.map((name) => storeName(/^StorePath: (.+)$/m.exec(readFileSync(join(folder, name), "utf8"))?.[1] ?? "")));
}

test("a substituter of the configuration is used; what it offers of the tools is not pushed again, each layer is", async () => {
  await using sandbox = await warmSandbox();
  const before = await outputs(sandbox);
  const other = `${sandbox.at}/other-cache`;
  renameSync(sandbox.host(".local/cache"), sandbox.host(other));
  rmSync(sandbox.host(".local/keys"), { recursive: true });
  await forget(sandbox);
  configure(sandbox, { substituters: [{ url: `file://${other}`, publicKey: before.cache.publicKey }] });
  await up(sandbox);

  const { layers, cache } = await outputs(sandbox);
  assert.notEqual(cache.publicKey, before.cache.publicKey);
  for (const [attr, { built, substituted }] of Object.entries(layers)) assert.ok(built === 0 && substituted > 0, attr);
  const [theirs, ours] = [held(sandbox.host(other)), held(sandbox.host(".local/cache"))];
  for (const attr of Object.keys(layers)) assert.ok(ours.has(attr) && (attr === "layer2-wheels" || ours.has(`${attr}-blob`)), attr);
  // Of the rest, only what a layer refers to, and that its checks passed: a cache holds no path without its references.
  assert.deepEqual([...ours].filter((name) => !theirs.has(name)), []);
  const { stdout } = await sandbox.bash(`nix path-info --recursive ${Object.values(layers).map(({ storePath }) => storePath).join(" ")} $(nix path-info path:./layers#comfyui ${Object.keys(layers).map((attr) => `path:./layers#${attr}.checks`).join(" ")})`);
  const closure = new Set(stdout.trim().split("\n").map(storeName));
  assert.deepEqual([...ours].filter((name) => !closure.has(name)), []);
  assert.ok([...theirs].some((name) => !ours.has(name)), "the tools are theirs alone");
});

test("a substituter that signs with another key than the configuration says is not used", async () => {
  await using sandbox = await warmSandbox();
  const other = `${sandbox.at}/other-cache`;
  renameSync(sandbox.host(".local/cache"), sandbox.host(other));
  rmSync(sandbox.host(".local/keys"), { recursive: true });
  const { stdout: secret } = await sandbox.bash("nix key generate-secret --key-name other-1");
  const { stdout: publicKey } = await sandbox.run("nix", ["key", "convert-secret-to-public"], { input: secret });
  const { stdin } = await recordedCommand(sandbox, "comfyui-layer2-wheels");
  const request = { ...(JSON.parse(stdin) as object), substituters: [{ url: `file://${other}`, publicKey: publicKey.trim() }] };
  await runScript(sandbox, "open-cache", (await recordedCommand(sandbox, "comfyui-cache")).stdin);
  // A store with the downloaded files alone: what is not taken from the substituter can be built.
  await sandbox.wipeStore(await prefetchedStore());
  await runScript(sandbox, "build-layer", JSON.stringify(request));
  const log = newestLog(sandbox, "layer2-wheels");
  assert.ok(builtDerivations(log).map(storeName).includes("layer2-wheels.drv"));
  assert.doesNotMatch(log, /^copying path '.*' from '/m);
});
