/** Broken environments, requests and services: what a person reads, through the real scripts. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { protocol } from "../../infra/request.ts";
import { recordedCommand } from "../support/host-scripts.ts";
import { dieInUpload, spoilManifests } from "../support/faulty-proxy.ts";
import { preview, recover, up } from "../support/pulumi.ts";
import { freePort } from "../support/ports.ts";
import { Registry } from "../support/registry.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { configure } from "../support/stack-config.ts";
import { warmSandbox } from "../support/warm.ts";

let sandbox: Sandbox;
let layerRequest: Record<string, unknown>;
let publishRequest: Record<string, unknown>;
before(async () => {
  sandbox = await warmSandbox();
  layerRequest = await recordedRequest("comfyui-layer6-app");
  publishRequest = await recordedRequest("comfyui-publish-image");
});
after(() => sandbox.stop());

async function recordedRequest(command: string): Promise<Record<string, unknown>> {
  return JSON.parse((await recordedCommand(sandbox, command)).stdin) as Record<string, unknown>;
}

interface Broken {
  readonly script: string;
  readonly request: unknown;
  readonly env?: Readonly<Record<string, string>>;
  /** A folder of the project that is a full disk for this run, and for it alone. */
  readonly full?: string;
  readonly says: readonly (string | RegExp)[];
}

/** Runs a script and asserts how it ends: with this code, these words, and nothing on its standard output. */
async function assertScript(code: string, { script, request, env, full, says }: Broken): Promise<void> {
  const input = typeof request === "string" ? request : JSON.stringify(request);
  // By env, inside: another PATH is not for the programs that enter the sandbox.
  const settings = Object.entries(env ?? {}).map(([name, value]) => `${name}=${value}`);
  const mount = full === undefined ? [] : ["unshare", "--mount", "bash", "-euc", `mkdir '${full}'; mount -t tmpfs -o size=16k tmpfs '${full}'; exec "$@"`, "-"];
  const result = await sandbox.run("env", [...settings, ...mount, "bash", `infra/hosts/${script}.sh`], { input, allowFailure: true });
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
  await assertScript("REQUEST_INVALID", { script: "build-layer", request: { ...layerRequest, protocol: 99 }, says: ["found:    protocol 99", `expected: protocol ${protocol}`] });
  await assertScript("REQUEST_INVALID", { script: "build-layer", request: { protocol }, says: ["the request lacks .layer .fingerprint .inputs .system"] });
  await assertScript("REQUEST_INVALID", { script: "prefetch", request: ["sample"], says: ["is not a JSON object"] });
});

test("REQUEST_INVALID: names that would become paths or tags, a registry of another kind", async () => {
  await assertScript("REQUEST_INVALID", { script: "build-layer", request: { ...layerRequest, layer: "../layer6-app" }, says: ["found:    ../layer6-app"] });
  await assertScript("REQUEST_INVALID", { script: "publish-image", request: { ...publishRequest, tag: "latest" }, says: ["the request's tag is no fingerprint", "found:    latest"] });
  await assertScript("REQUEST_INVALID", { script: "publish-image", request: { ...publishRequest, registry: { kind: "ecr" } }, says: ["found:    ecr", "expected: oci-directory or registry"] });
});

/** The request without the value at this path. */
function lacking(request: Record<string, unknown>, [key = "", ...rest]: readonly string[]): Record<string, unknown> {
  const { [key]: value, ...others } = request;
  return rest.length === 0 ? others : { ...others, [key]: lacking(value as Record<string, unknown>, rest) };
}

/** What each script reads of its request; a value that is not there must end it before it has done anything. */
const READ: Readonly<Record<string, readonly string[]>> = {
  ready: ["system"],
  "open-cache": ["cache.path"],
  "build-layer": ["layer", "fingerprint", "inputs", "system", "flavor", "compression", "graph", "below", "cache.path", "substituters"],
  "publish-image": ["tag", "layers", "registry.kind", "registry.path", "system", "flavor", "compression", "graph", "below", "cache.path", "substituters"],
  release: ["destroy.cache", "destroy.image", "cache.path", "registry.kind", "registry.path"],
  prefetch: ["flavor", "relock"],
};

test("REQUEST_INVALID: any value that a script needs and its request lacks, by name; a path that is not there is not the project's folder", async () => {
  const host = await recordedRequest("comfyui-host");
  const requests: Readonly<Record<string, Record<string, unknown>>> = {
    ready: host,
    "open-cache": await recordedRequest("comfyui-cache"),
    "build-layer": layerRequest,
    "publish-image": publishRequest,
    // The cache is kept, so that a script that goes too far takes away the image at most.
    release: { ...host, destroy: { cache: "keep", image: "delete" } },
    prefetch: { protocol, flavor: "sample", relock: false },
  };
  const project = () => sandbox.bash("ls -A . .local .local/cache | sort | sha256sum");
  const before = (await project()).stdout;
  for (const [script, keys] of Object.entries(READ)) {
    for (const key of keys) {
      await assertScript("REQUEST_INVALID", { script, request: lacking(requests[script] ?? {}, key.split(".")), says: [`the request lacks .${key}`] });
    }
  }
  await assertScript("REQUEST_INVALID", { script: "release", request: { ...lacking(host, ["cache", "path"]), destroy: { cache: "delete", image: "keep" } }, says: ["the request lacks .cache.path"] });
  const noTls = { kind: "registry", repository: "127.0.0.1:9/comfyui" };
  await assertScript("REQUEST_INVALID", { script: "publish-image", request: { ...publishRequest, registry: noTls }, says: ["the request lacks .registry.tls"] });
  assert.equal((await project()).stdout, before);
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

test("CACHE_KEY_MISSING: the secret half is lost, so nothing can be signed", async () => {
  const keys = `${sandbox.at}/tmp/half-a-key`;
  await sandbox.bash(`mkdir '${keys}'; cp .local/keys/cache.public '${keys}'`);
  await assertScript("CACHE_KEY_MISSING", { script: "build-layer", request: layerRequest, env: { COMFYUI_KEYS: keys }, says: [`the cache's signing key is not at ${keys}/cache.secret`, "restore it from its backup"] });
});

test("CACHE_PUSH_FAILED: a cache that cannot be written", async () => {
  writeFileSync(sandbox.host(".local/file"), "");
  const cacheAt = (path: string) => ({ ...layerRequest, cache: { kind: "directory", path } });
  await assertScript("CACHE_PUSH_FAILED", { script: "build-layer", request: cacheAt(".local/file"), says: ["could not copy to the cache in"] });
  await assertScript("CACHE_PUSH_FAILED", { script: "build-layer", request: cacheAt(".local/full"), full: ".local/full", says: [/could not copy to the cache in .*\.local\/full: [^]*No space left on device/, "the disk is not full"] });
});

test("LAYER_SOURCES_CHANGED: a request for other sources than there are", async () => {
  const inputs = { ...(layerRequest["inputs"] as object), "layer6-app/default.nix": "000000000000" };
  await assertScript("LAYER_SOURCES_CHANGED", { script: "build-layer", request: { ...layerRequest, inputs }, says: ["sources changed during up: layer6-app/default.nix"] });
});

test("PUBLISH_REGISTRY: nothing answers at the registry's address", async () => {
  const registry = { kind: "registry", repository: `127.0.0.1:${await freePort()}/comfyui`, tls: false };
  await assertScript("PUBLISH_REGISTRY", { script: "publish-image", request: { ...publishRequest, registry }, says: ["could not be asked for docker://127.0.0.1:", "connection refused"] });
});

test("PUBLISH_FAILED: the disk of the registry is full", async () => {
  const path = ".local/full-images";
  await assertScript("PUBLISH_FAILED", { script: "publish-image", request: { ...publishRequest, registry: { kind: "oci-directory", path } }, full: path, says: [/could not be copied to oci:.*full-images:[0-9a-f]{12}: .*no space left on device/] });
});

test("PUBLISH_FAILED: a registry that goes down in the middle has no image under the tag; the next run sends what is left", async () => {
  await using real = await Registry.start();
  const registry = (address: string) => ({ ...publishRequest, registry: { kind: "registry", repository: `${address}/comfyui`, tls: false } });
  {
    await using proxy = await dieInUpload(real.address);
    await assertScript("PUBLISH_FAILED", { script: "publish-image", request: registry(proxy.address), says: [`could not be copied to docker://${proxy.address}/comfyui:`] });
  }
  const { blobs, manifests } = await real.received();
  assert.deepEqual([blobs.length > 0, manifests.length], [true, 0]);
  const { code } = await sandbox.run("bash", ["infra/hosts/publish-image.sh"], { input: JSON.stringify(registry(real.address)), allowFailure: true });
  assert.equal(code, 0);
  assert.equal((await real.received()).manifests.length, 1);
});

test("PUBLISH_DIGEST: a registry that answers with other bytes than it was sent", async () => {
  await using real = await Registry.start();
  await using proxy = await spoilManifests(real.address);
  const registry = { kind: "registry", repository: `${proxy.address}/comfyui`, tls: false };
  await assertScript("PUBLISH_DIGEST", {
    script: "publish-image",
    request: { ...publishRequest, registry },
    says: [`another image than the one sent to docker://${proxy.address}/comfyui:`, /found: +sha256:[0-9a-f]{64}$/m, /expected: sha256:[0-9a-f]{64}$/m],
  });
});

test("PREFETCH_FLAVOR: no locks of that name", async () => {
  await assertScript("PREFETCH_FLAVOR", { script: "prefetch", request: { protocol, flavor: "cu999", relock: false }, says: ["found:    cu999", "expected: cu130 pypi sample"] });
});

test("PREFETCH_LOCK_INVALID: a lock that is damaged", async () => {
  const file = sandbox.host("layers/locks/sample/layer5-perf.lock.json");
  const lock = readFileSync(file, "utf8");
  writeFileSync(file, lock.replace(/sha256-[A-Za-z0-9+/]{43}=/, "sha256-short"));
  try {
    await assertScript("PREFETCH_LOCK_INVALID", { script: "prefetch", request: { protocol, flavor: "sample", relock: false }, says: ["the locks of flavor sample are damaged"] });
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

test("RECOVER_LIVE: a lock of another machine is not taken away, unless told to", async () => {
  const folder = sandbox.host(".local/backend/.pulumi/locks/organization/comfyui/local");
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/11111111-2222-3333-4444-555555555555.json`, JSON.stringify({ pid: 1, username: "me", hostname: "elsewhere", timestamp: "2026-01-01T00:00:00Z" }));
  const refused = await recover(sandbox, { allowFailure: true });
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /^error\[RECOVER_LIVE\]: the stack's lock: its owner is on another machine .*\n {2}found: {4}process 1 of me@elsewhere, .*\n {2}expected: .*\n {2}fix: .*npm run recover -- --force$/m);
  const forced = await sandbox.run("node", ["infra/recover.ts", "--force"]);
  assert.match(forced.stdout, /took away the lock of process 1 of me@elsewhere/);
});

/** All files below these folders, in one word. */
async function digestOf(broken: Sandbox, ...folders: readonly string[]): Promise<string> {
  return (await broken.bash(`find ${folders.join(" ")} -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum`)).stdout;
}

/** The stack's resources as its state has them. (A failed run leaves a note in the stack's history, and its time.) */
async function resourcesOf(broken: Sandbox): Promise<unknown> {
  const { stdout } = await broken.run("pulumi", ["stack", "export"]);
  return (JSON.parse(stdout) as { deployment: { resources: unknown } }).deployment.resources;
}

/** Preview and `up` of a stack that cannot be planned: what the preview says, after it was made sure that both left everything as it was. */
async function assertRefused(broken: Sandbox, codes: readonly string[], wrapper: readonly string[] = []): Promise<string> {
  rmSync(broken.host(".local/host"), { recursive: true });
  const [resources, state, made] = [await resourcesOf(broken), await digestOf(broken, ".local/backend"), await digestOf(broken, ".local/cache", ".local/images")];
  const [program = "", ...args] = [...wrapper, "pulumi", "preview", "--non-interactive", "--color", "never"];
  const { code, stdout } = await broken.run(program, args, { allowFailure: true });
  assert.notEqual(code, 0);
  assert.deepEqual(new Set([...stdout.matchAll(/error\[([A-Z_]+)\]/g)].map(([, found]) => found)), new Set(codes), stdout);
  assert.doesNotMatch(stdout, /node_modules|at process/, "no stack trace");
  assert.equal(await digestOf(broken, ".local/backend"), state);

  const update = await up(broken, { allowFailure: true });
  assert.deepEqual([update.result, update.ran], ["failed", []]);
  assert.deepEqual(await resourcesOf(broken), resources);
  assert.equal(await digestOf(broken, ".local/cache", ".local/images"), made);
  assert.ok(!existsSync(broken.host(".local/host")), "no script ran");
  return stdout;
}

test("GRAPH_INPUT_UNREADABLE and GRAPH_INPUT_SYMLINK: inputs of two layers, both in one preview", async () => {
  await using broken = await warmSandbox();
  symlinkSync("main.py", broken.host("layers/layer6-app/app/link.py"));
  chmodSync(broken.host("layers/layer5-perf/default.nix"), 0o000);
  // Root without the right to read what it may not: a user like any other, as far as this file goes.
  const asUser = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
  const stdout = await assertRefused(broken, ["GRAPH_INPUT_UNREADABLE", "GRAPH_INPUT_SYMLINK"], asUser);
  assert.match(stdout, /error\[GRAPH_INPUT_UNREADABLE\]: layers\/layer5-perf\/default\.nix: .*permission denied/);
  assert.match(stdout, /error\[GRAPH_INPUT_SYMLINK\]: layers\.json: layer6-app: .*layer6-app\/app\/link\.py/);
});

test("GRAPH_JSON: a slip in layers.json, with the place", async () => {
  await using broken = await warmSandbox();
  const graph = broken.host("layers/layers.json");
  writeFileSync(graph, readFileSync(graph, "utf8").replace('"flavors"', "flavors"));
  assert.match(await assertRefused(broken, ["GRAPH_JSON"]), /error\[GRAPH_JSON\]: layers\.json: .*position|line/);
});

test("faults of the stack's configuration and of the graph: all in one preview, and nothing is touched", async () => {
  await using broken = await warmSandbox();
  configure(broken, { flavour: {}, compression: { kind: "xz" }, systems: ["mips"] });
  const graph = broken.host("layers/layers.json");
  writeFileSync(graph, readFileSync(graph, "utf8").replace('"on": ["layer0-base"]', '"on": ["layer9-none"]'));
  const stdout = await assertRefused(broken, ["GRAPH_UNKNOWN_LAYER", "CONFIG_UNKNOWN_KEY", "CONFIG_KIND", "CONFIG_VALUE"]);
  assert.match(stdout, /error\[CONFIG_VALUE\]: comfyui:systems\[0\]: .*\n +found: +"?mips/);
  await assert.rejects(preview(broken));
});
