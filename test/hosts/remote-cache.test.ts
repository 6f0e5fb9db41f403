/** A cache on another host: what is pushed, under which key, and what happens when that host is down, full or another one. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { cacheAnswer, imageAnswer, layerAnswer, parseAnswer } from "../../infra/answers.ts";
import { protocol } from "../../infra/request.ts";
import { CacheServer } from "../support/cache-server.ts";
import { assertFault, builtDerivations, newestLog, recordedCommand, runScript, storeName } from "../support/host-scripts.ts";
import { withBucketNix } from "../support/other-nix.ts";
import { prefetchedStore } from "../support/prefetched-store.ts";
import type { Result } from "../support/process.ts";
import { startS3 } from "../support/s3-server.ts";
import { EMPTY_STORE, type Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

type Request = Readonly<Record<string, unknown>>;

let sandbox: Sandbox;
let server: CacheServer;
let key: { readonly secret: string; readonly public: string };
let pushKey: string;

async function makeKey(name: string): Promise<typeof key> {
  const { stdout: secret } = await sandbox.run("nix", ["key", "generate-secret", "--key-name", name]);
  const { stdout } = await sandbox.run("nix", ["key", "convert-secret-to-public"], { input: secret });
  return { secret, public: stdout.trim() };
}

/** The request of open-cache.sh, as the program makes it. */
function opening(changes: Request = {}): Request {
  const cache = { kind: "nix-serve", name: "team", url: server.url, push: server.push, publicKey: key.public, trusted: [], signingKey: key.secret, auth: null, onFailure: "fail", ...changes };
  return { protocol, stack: "remote", cache, substituters: [] };
}

async function open(changes: Request = {}, env: Readonly<Record<string, string>> = {}): Promise<Result> {
  return runScript(sandbox, "open-cache", JSON.stringify(opening(changes)), { env });
}

/** A recorded request, for the cache on the other host. */
async function remote(command: string): Promise<Request> {
  const { stdin } = await recordedCommand(sandbox, command);
  return { ...(JSON.parse(stdin) as Request), cache: { kind: "nix-serve", name: "team", publicKey: key.public } };
}

async function build(layer: string, env: Readonly<Record<string, string>> = {}): Promise<Result> {
  return runScript(sandbox, "build-layer", JSON.stringify(await remote(`comfyui-${layer}`)), { allowFailure: true, env });
}

before(async () => {
  sandbox = await warmSandbox();
  key = await makeKey("team-1");
  server = await CacheServer.start({ publicKeys: [key.public] });
  const { stdout } = await open();
  pushKey = parseAnswer(cacheAnswer, stdout).pushKey ?? "";
  await server.authorize(pushKey);
});
after(async () => {
  await server?.stop();
  await sandbox?.stop();
});

test("opening the cache keeps its addresses, and secrets in files that only their owner reads", async () => {
  const { stdout, stderr } = await open({ auth: { user: "reader", password: "opensesame" } });
  const answer = parseAnswer(cacheAnswer, stdout);
  assert.deepEqual(answer, { location: server.url, publicKey: key.public, pushKey });
  assert.match(pushKey, /^ssh-ed25519 [A-Za-z0-9+/=]+$/);
  const record = readFileSync(sandbox.host(".local/host/cache.json"), "utf8");
  assert.ok(!`${record}${stdout}${stderr}`.includes("opensesame") && !`${record}${stdout}${stderr}`.includes(key.secret.trim()));
  assert.equal(JSON.parse(record).url, server.url);
  for (const file of ["nix-serve.secret", "push", "netrc"]) assert.equal(statSync(sandbox.host(`.local/keys/${file}`)).mode & 0o777, 0o600, file);
  assert.equal(readFileSync(sandbox.host(".local/keys/netrc"), "utf8"), "machine 127.0.0.1 login reader password opensesame\n");
  await open();
  assert.ok(!existsSync(sandbox.host(".local/keys/netrc")), "a password that is not needed any more is removed");
});

/** What is pinned on the cache host: name and paths. */
async function pins(): Promise<Map<string, string[]>> {
  const { stdout } = await server.sandbox.bash("cd /nix/var/nix/gcroots/comfyui && find . -type l -printf '%h %l\\n' | sort");
  const lines = stdout.trim().split("\n").map((line) => line.split(" ") as [string, string]);
  return new Map(Object.entries(Object.groupBy(lines, ([folder]) => folder.slice(2))).map(([name, links]) => [name, (links ?? []).map(([, path]) => path)]));
}

test("a layer is pushed signed, verified over HTTP, and pinned by stack, layer and fingerprint", async () => {
  const answer = parseAnswer(layerAnswer, (await build("layer0-base")).stdout);
  assert.deepEqual([answer.built, answer.cached, answer.reused], [0, true, true]);
  const held = await server.held();
  assert.ok(held.includes(answer.storePath));
  const pinned = (await pins()).get(`remote/layers/layer0-base/${answer.fingerprint}`) ?? [];
  assert.deepEqual(pinned.map(storeName).sort(), ["layer0-base", "layer0-base-blob", "layer0-base-checks"]);
  assert.ok(pinned.every((path) => held.includes(path)));
  await server.sandbox.bash(`nix store verify --store local --all --no-contents --sigs-needed 1 --option trusted-public-keys '${key.public}'`);
  assert.ok(!newestLog(sandbox, "layer0-base").includes(key.secret.trim()));
});

test("HOST_KEY_MISMATCH: another host answers where the cache's was; nothing is sent to it", async () => {
  const [type, base64 = ""] = server.push.hostKey.split(" ");
  const other = `${type} ${base64.slice(0, -4)}AAAA`;
  await open({ push: { ...server.push, hostKey: other } });
  const before = (await server.held()).length;
  assertFault(await build("layer2-wheels"), "HOST_KEY_MISMATCH", ["another SSH key than the configuration says", `expected: ${other}`]);
  assert.equal((await server.held()).length, before);
  await open();
});

test("CACHE_LOGIN_REFUSED: the cache host does not know the push key, which the message shows", async () => {
  await server.authorize(`${pushKey.slice(0, -4)}AAAA`);
  assertFault(await build("layer2-wheels"), "CACHE_LOGIN_REFUSED", ["does not know this host's push key", `expected: ${pushKey}`]);
  await server.authorize(pushKey);
});

test("CACHE_REFUSED: the cache host does not trust the signing key, which the message shows", async () => {
  await server.down();
  server.trust([(await makeKey("other-1")).public]);
  await server.resume();
  assertFault(await build("layer2-wheels"), "CACHE_REFUSED", ["does not trust this stack's signing key", `expected: ${key.public}`]);
  await server.down();
  server.trust([key.public]);
  await server.resume();
});

test("CACHE_NOT_OPEN: a host that does not know where the cache is, and one that knows another", async () => {
  const file = sandbox.host(".local/host/cache.json");
  const record = readFileSync(file, "utf8");
  rmSync(file);
  assertFault(await build("layer2-wheels"), "CACHE_NOT_OPEN", ["does not know where the cache team is", /found: +no .*cache\.json/, "**comfyui-cache"]);
  writeFileSync(file, record.replace('"team"', '"other"'));
  assertFault(await build("layer2-wheels"), "CACHE_NOT_OPEN", [`found:    other, key ${key.public}`, `expected: team, key ${key.public}`]);
  writeFileSync(file, record);
});

test("CACHE_KEY_INVALID: a signing key that is not the one the stack trusts", async () => {
  const other = await makeKey("team-1");
  const result = await runScript(sandbox, "open-cache", JSON.stringify(opening({ signingKey: other.secret })), { allowFailure: true });
  assertFault(result, "CACHE_KEY_INVALID", [`found:    ${other.public}`, `expected: ${key.public}`]);
  await open();
});

test("CACHE_UNREACHABLE and CACHE_PUSH_FAILED: the host is down, or its SSH server alone; where the cache may fail, the run says so and goes on", async (t) => {
  await t.test("its web server is down before the build", async () => {
    await server.down();
    assertFault(await build("layer2-wheels"), "CACHE_UNREACHABLE", [`team at ${server.url} cannot be reached`, "Could not connect"]);
    await open({ onFailure: "continue" });
    const { stdout, stderr } = await build("layer2-wheels");
    assert.match(stderr, /^warning\[CACHE_UNREACHABLE\]: .* going on without the cache: the next run pushes what is lacking$/m);
    assert.equal(parseAnswer(layerAnswer, stdout).cached, false);
  });
  await t.test("its SSH server is down at the push", async () => {
    await server.resume();
    await server.stopSsh();
    const { stdout, stderr } = await build("layer2-wheels");
    assert.match(stderr, /^warning\[CACHE_PUSH_FAILED\]: could not copy to the cache team/m);
    assert.equal(parseAnswer(layerAnswer, stdout).cached, false);
    await open();
    assertFault(await build("layer2-wheels"), "CACHE_PUSH_FAILED", ["could not copy to the cache team", /refused/]);
    await server.startSsh();
  });
});

test("CACHE_UNAUTHORIZED: a cache that wants another password", async () => {
  const guard = createServer((_, answer) => answer.writeHead(401, { "www-authenticate": 'Basic realm="cache"' }).end()).listen(0, "127.0.0.1");
  await once(guard, "listening");
  await open({ url: `http://127.0.0.1:${(guard.address() as AddressInfo).port}`, onFailure: "continue" });
  assertFault(await build("layer2-wheels"), "CACHE_UNAUTHORIZED", ["does not let this host read", "HTTP error 401", "binaryCache.auth"]);
  guard.close();
  guard.closeAllConnections();
  await open();
});

test("publishing pushes and pins what earlier runs could not; a machine with an empty store takes all of it from the cache", async () => {
  const { stdout, stderr } = await runScript(sandbox, "publish-image", JSON.stringify(await remote("comfyui-publish-image")));
  const { tag } = parseAnswer(imageAnswer, stdout);
  assert.match(stderr, /^copying to the cache what it lacks since it failed: layers\/layer2-wheels\/[0-9a-f]{12}$/m);
  assert.deepEqual(readdirSync(sandbox.host(".local/host/owed")), []);
  const pinned = (await pins()).get(`remote/images/${tag}`) ?? [];
  for (const layer of ["layer0-base", "layer3-pytorch", "layer6-app"]) assert.ok(pinned.some((path) => storeName(path) === layer), layer);
  // The image keeps the blobs.
  const [image = ""] = pinned.filter((path) => storeName(path) === "comfyui-image");
  const { stdout: blobs } = await server.sandbox.bash(`nix-store --store local --query --references ${image}`);
  assert.match(blobs, /-layer6-app-blob\n/);

  await sandbox.wipeStore(EMPTY_STORE);
  for (const layer of ["layer2-wheels", "layer6-app"]) {
    const answer = parseAnswer(layerAnswer, (await build(layer)).stdout);
    assert.deepEqual([answer.built, answer.cached], [0, true], layer);
    assert.ok(answer.substituted > 0);
  }
  assert.match(newestLog(sandbox, "layer6-app"), new RegExp(`^copying path '.*-layer6-app-blob' from '${server.url}`, "m"));
});

test("with another key than the cache's, nothing is taken from it", async () => {
  const other = await makeKey("other-1");
  await sandbox.wipeStore(await prefetchedStore());
  await open({ publicKey: other.public, signingKey: other.secret });
  const request = { ...(await remote("comfyui-layer2-wheels")), cache: { kind: "nix-serve", name: "team", publicKey: other.public } };
  assertFault(await runScript(sandbox, "build-layer", JSON.stringify(request), { allowFailure: true }), "CACHE_SIGNATURE", [/layer2-wheels' is untrusted/, "binaryCache.trusted"]);
  const log = newestLog(sandbox, "layer2-wheels");
  assert.ok(builtDerivations(log).map(storeName).includes("layer2-wheels.drv"));
  assert.doesNotMatch(log, /^copying path '.*' from '/m);
  // While a key is changed, the old one is trusted too.
  await open({ publicKey: other.public, signingKey: other.secret, trusted: [key.public] });
  await sandbox.wipeStore(EMPTY_STORE);
  const answer = parseAnswer(layerAnswer, (await runScript(sandbox, "build-layer", JSON.stringify(request))).stdout);
  assert.deepEqual([answer.built, answer.cached], [0, true]);
});

test("CACHE_DISK_FULL: the cache host's disk has no room; nothing is taken, and a run that may go on says so", async () => {
  await using small = await CacheServer.start({ publicKeys: [key.public], storeMiB: 400 });
  await small.authorize(pushKey);
  await open({ url: small.url, push: small.push });
  const before = await small.held();
  assertFault(await build("layer2-wheels"), "CACHE_DISK_FULL", [`the disk of the cache team at ${small.url} is full`, /found: +\d+ MiB free of 400 MiB/, "expected: at least 512 MiB free", "make room there"]);
  assert.deepEqual(await small.held(), before);
  await open({ url: small.url, push: small.push, onFailure: "continue" });
  const { stdout, stderr } = await build("layer2-wheels");
  assert.match(stderr, /^warning\[CACHE_DISK_FULL\]: .* going on without the cache/m);
  assert.equal(parseAnswer(layerAnswer, stdout).cached, false);
});

test("CACHE_MIRROR: a bucket mirrors the cache; what it lacks while it is down stops no layer, and comes with the next push; it is read where the cache is down", async (t) => {
  await using bucket = await startS3("mirror");
  const env = { PATH: await withBucketNix(sandbox.env["PATH"]) };
  const mirror = { url: bucket.url, readUrl: bucket.readUrl };
  const owed = () => readdirSync(sandbox.host(".local/host/owed-mirror"));
  const narinfo = ({ storePath }: { storePath: string }) => bucket.objects.get(`${storePath.slice("/nix/store/".length).slice(0, 32)}.narinfo`)?.toString() ?? "";
  /** A layer that the cache gets, and what its mirror's failure has to say for it. */
  const pushed = async (layer: string) => {
    const { code, stdout, stderr } = await build(layer, env);
    assert.equal(code, 0, stderr);
    const answer = parseAnswer(layerAnswer, stdout);
    assert.deepEqual([answer.built, answer.cached], [0, true]);
    return { answer, warnings: stderr.split("\n").filter((line) => line.startsWith("warning")) };
  };
  await open({ mirror }, env);
  await t.test("it gets what the cache gets, with the same signatures", async () => {
    const { answer, warnings } = await pushed("layer2-wheels");
    assert.deepEqual([warnings, owed()], [[], []]);
    assert.match(narinfo(answer), /^Sig: team-1:/m);
  });
  let lacking: { storePath: string };
  await t.test("it is down before a build: nothing waits for it", async () => {
    await bucket.down();
    const { answer, warnings } = await pushed("layer0-base");
    lacking = answer;
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /^warning\[CACHE_MIRROR\]: the mirror s3:\/\/mirror\?.* cannot be used: .*the cache has everything: the next push brings the mirror what it lacks$/);
    assert.doesNotMatch(newestLog(sandbox, "layer0-base"), /mirror/);
    assert.equal(owed().length, 1);
    await bucket.resume();
  });
  await t.test("it refuses a push", async () => {
    bucket.readOnly = true;
    const { warnings } = await pushed("layer1-python");
    assert.match(warnings.join(), /^warning\[CACHE_MIRROR\]: the mirror .* could not be copied to: .*403.*; the cache has everything/);
    assert.equal(owed().length, 2);
    bucket.readOnly = false;
  });
  await t.test("the next push brings it all that it lacks", async () => {
    assert.equal(narinfo(lacking), "");
    assert.deepEqual([(await pushed("layer1-python")).warnings, owed()], [[], []]);
    assert.match(narinfo(lacking), /^Sig: team-1:/m);
  });
  await t.test("a machine with an empty store reads from it, by HTTP, what a cache that is down does not give", async () => {
    await server.down();
    await open({ mirror, onFailure: "continue" }, env);
    await sandbox.wipeStore(EMPTY_STORE);
    const { stdout, stderr } = await build("layer1-python", env);
    const answer = parseAnswer(layerAnswer, stdout);
    assert.deepEqual([answer.built, answer.cached], [0, false], stderr);
    assert.match(newestLog(sandbox, "layer1-python"), /^copying path '.*-layer1-python' from 'http:.*\/mirror/m);
    await server.resume();
  });
});
