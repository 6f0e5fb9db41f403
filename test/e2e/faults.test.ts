/** Broken environments, requests and services: what a person reads, through the real scripts. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { recordedCommand } from "../support/host-scripts.ts";
import { preview, up } from "../support/pulumi.ts";
import { freePort } from "../support/ports.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { configure } from "../support/stack-config.ts";
import { warmSandbox } from "../support/warm.ts";

let sandbox: Sandbox;
let layerRequest: Record<string, unknown>;
before(async () => {
  sandbox = await warmSandbox();
  layerRequest = JSON.parse((await recordedCommand(sandbox, "comfyui-layer6-app")).stdin) as Record<string, unknown>;
});
after(() => sandbox.stop());

interface Broken {
  readonly script: string;
  readonly request: unknown;
  readonly env?: Readonly<Record<string, string>>;
  readonly says: readonly (string | RegExp)[];
}

/** Runs a script and asserts how it ends: with this code, these words, and nothing on its standard output. */
async function assertScript(code: string, { script, request, env, says }: Broken): Promise<void> {
  const input = typeof request === "string" ? request : JSON.stringify(request);
  // By env, inside: another PATH is not for the programs that enter the sandbox.
  const command = [...Object.entries(env ?? {}).map(([name, value]) => `${name}=${value}`), "bash", `infra/hosts/${script}.sh`];
  const result = await sandbox.run("env", command, { input, allowFailure: true });
  assert.deepEqual([result.code, result.stdout], [1, ""], result.stderr);
  const codes = [...result.stderr.matchAll(/^error\[([A-Z_]+)\]/gm)].map(([, found]) => found);
  assert.deepEqual(codes, [code], result.stderr);
  assert.match(result.stderr, /^ {2}fix: {6}\S/m);
  for (const words of says) assert.ok(typeof words === "string" ? result.stderr.includes(words) : words.test(result.stderr), `${words} is not in:\n${result.stderr}`);
}

/** A folder of links to the programs on PATH, without some of them; as PATH. */
async function pathWithout(...missing: string[]): Promise<string> {
  const folder = `${sandbox.at}/tmp/without-${missing.join("-")}`;
  mkdirSync(sandbox.host(folder));
  const { stdout } = await sandbox.bash(`IFS=:; for d in $PATH; do ls -d "$d"/* 2>/dev/null || [ $? -eq 2 ]; done`);
  const seen = new Set(missing);
  for (const file of stdout.trim().split("\n")) {
    const name = file.slice(file.lastIndexOf("/") + 1);
    if (!seen.has(name)) symlinkSync(file, sandbox.host(`${folder}/${name}`));
    seen.add(name);
  }
  return folder;
}

test("REQUEST_INVALID: not JSON, another protocol, a value that is missing", async () => {
  await assertScript("REQUEST_INVALID", { script: "build-layer", request: "no request", says: ["the request on standard input is not a JSON object"] });
  await assertScript("REQUEST_INVALID", { script: "build-layer", request: { ...layerRequest, protocol: 99 }, says: ["found:    protocol 99", "expected: protocol 1"] });
  await assertScript("REQUEST_INVALID", { script: "build-layer", request: { protocol: 1 }, says: ["the request lacks .layer"] });
});

test("HOST_TOOL_MISSING: all missing programs at once", async () => {
  await assertScript("HOST_TOOL_MISSING", { script: "ready", request: layerRequest, env: { PATH: await pathWithout("skopeo", "zstd") }, says: ["this host lacks: skopeo zstd", "npm run setup"] });
});

test("HOST_NIX_OLD: found and expected version", async () => {
  const folder = `${sandbox.at}/tmp/old-nix`;
  mkdirSync(sandbox.host(folder));
  writeFileSync(sandbox.host(`${folder}/nix`), "#!/bin/sh\necho 'nix (Nix) 2.8.0'\n");
  chmodSync(sandbox.host(`${folder}/nix`), 0o755);
  await assertScript("HOST_NIX_OLD", { script: "ready", request: layerRequest, env: { PATH: `${folder}:${sandbox.env["PATH"]}` }, says: [/found: +2\.8\.0 \(.*old-nix\/nix\)/, "expected: 2.18 or newer"] });
});

test("HOST_SYSTEM: found and configured system", async () => {
  const { stdin } = await recordedCommand(sandbox, "comfyui-host");
  await assertScript("HOST_SYSTEM", { script: "ready", request: stdin.replace("x86_64-linux", "aarch64-linux"), says: ["found:    x86_64-linux", "expected: aarch64-linux"] });
});

test("CACHE_KEY_MISSING and CACHE_KEY_INVALID: without a key nothing is built, a wrong one is not replaced", async () => {
  const keys = `${sandbox.at}/tmp/keys`;
  await assertScript("CACHE_KEY_MISSING", { script: "build-layer", request: layerRequest, env: { COMFYUI_KEYS: keys }, says: [`the cache has no key at ${keys}`] });
  mkdirSync(sandbox.host(keys));
  writeFileSync(sandbox.host(`${keys}/cache.secret`), "no key");
  const { stdin } = await recordedCommand(sandbox, "comfyui-cache");
  await assertScript("CACHE_KEY_INVALID", { script: "open-cache", request: stdin, env: { COMFYUI_KEYS: keys }, says: ["is no Nix signing key"] });
  assert.equal(readFileSync(sandbox.host(`${keys}/cache.secret`), "utf8"), "no key");
});

test("CACHE_PUSH_FAILED: a cache that cannot be written", async () => {
  writeFileSync(sandbox.host(".local/file"), "");
  await assertScript("CACHE_PUSH_FAILED", { script: "build-layer", request: { ...layerRequest, cache: { kind: "directory", path: ".local/file" } }, says: ["could not copy to the cache in"] });
});

test("LAYER_SOURCES_CHANGED: a request for other sources than there are", async () => {
  const inputs = { ...(layerRequest["inputs"] as object), "layer6-app/default.nix": "000000000000" };
  await assertScript("LAYER_SOURCES_CHANGED", { script: "build-layer", request: { ...layerRequest, inputs }, says: ["sources changed during up: layer6-app/default.nix"] });
});

test("PUBLISH_REGISTRY: nothing answers at the registry's address", async () => {
  const { stdin } = await recordedCommand(sandbox, "comfyui-publish-image");
  const registry = { kind: "registry", repository: `127.0.0.1:${await freePort()}/comfyui`, tls: false };
  await assertScript("PUBLISH_REGISTRY", { script: "publish-image", request: { ...(JSON.parse(stdin) as object), registry }, says: ["could not be asked for docker://127.0.0.1:", "connection refused"] });
});

test("PREFETCH_FLAVOR: no locks of that name", async () => {
  await assertScript("PREFETCH_FLAVOR", { script: "prefetch", request: { protocol: 1, flavor: "cu999", relock: false }, says: ["found:    cu999", "expected: sample"] });
});

test("PREFETCH_LOCK_INVALID: a lock that is damaged", async () => {
  const file = sandbox.host("layers/locks/sample/layer5-perf.json");
  const lock = readFileSync(file, "utf8");
  writeFileSync(file, lock.replace(/sha256-[A-Za-z0-9+/]{43}=/, "sha256-short"));
  try {
    await assertScript("PREFETCH_LOCK_INVALID", { script: "prefetch", request: { protocol: 1, flavor: "sample", relock: false }, says: ["the locks of flavor sample are damaged"] });
  } finally {
    writeFileSync(file, lock);
  }
});

test("LAYER_TIMEOUT: the limit, the log, and what to do", async () => {
  await using slow = await warmSandbox();
  const module = slow.host("layers/layer6-app/default.nix");
  writeFileSync(module, readFileSync(module, "utf8").replace("check = ''", "check = ''\n    sleep 300"));
  const update = await up(slow, { env: { COMFYUI_LAYER_TIMEOUT: "5" }, allowFailure: true });
  assert.match(update.process.stdout, /error\[LAYER_TIMEOUT\]: layer6-app did not build within 5 seconds \(log: .*\.log\)/);
});

test("faults of the stack's configuration and of the graph: all in one preview, and nothing is touched", async () => {
  await using broken = await warmSandbox();
  configure(broken, { flavour: {}, compression: { kind: "xz" }, systems: ["mips"] });
  const graph = broken.host("layers/layers.json");
  writeFileSync(graph, readFileSync(graph, "utf8").replace('"on": ["layer0-base"]', '"on": ["layer9-none"]'));
  rmSync(broken.host(".local/host"), { recursive: true });
  const { code, stdout } = await broken.run("pulumi", ["preview", "--non-interactive", "--color", "never"], { allowFailure: true });
  assert.notEqual(code, 0);
  const codes = [...stdout.matchAll(/error\[([A-Z_]+)\]/g)].map(([, found]) => found);
  assert.deepEqual(new Set(codes), new Set(["GRAPH_UNKNOWN_LAYER", "CONFIG_UNKNOWN_KEY", "CONFIG_KIND", "CONFIG_VALUE"]), stdout);
  assert.doesNotMatch(stdout, /node_modules|at process/, "no stack trace");
  await assert.rejects(preview(broken));
});
