/** The operators' commands for a cache in a folder: what it holds, what is wrong with it, and what it no longer needs. */
import assert from "node:assert/strict";
import { appendFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { outputs } from "../support/outputs.ts";
import type { Result } from "../support/process.ts";
import { up } from "../support/pulumi.ts";
import { EMPTY_STORE, type Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

let sandbox: Sandbox;
before(async () => {
  sandbox = await warmSandbox();
});
after(async () => {
  await sandbox?.stop();
});

async function ops(...args: string[]): Promise<Result> {
  return sandbox.run("node", ["infra/ops.ts", ...args], { allowFailure: true });
}

async function asJson<T>(code: number, ...args: string[]): Promise<T> {
  const { stdout, stderr, code: found } = await ops(...args, "--json");
  assert.equal(found, code, `${args.join(" ")}: ${stderr}\n${stdout.slice(0, 3000)}`);
  return JSON.parse(stdout) as T;
}

interface Status {
  readonly problem: string | null;
  readonly publicKeys: string[];
  readonly paths: number;
  readonly bytes: number;
  readonly unsigned: number;
  readonly images: { readonly tag: string; readonly kept: string | null }[];
  readonly parts: { readonly part: string; readonly bad: object[]; readonly paths: number }[];
}

interface Verified {
  readonly checked: number;
  readonly bad: { readonly path: string; readonly trouble: string; readonly part: string }[];
  readonly left: object[];
  readonly command: string | null;
}

interface Collected {
  readonly paths: string[];
  readonly files: string[];
  readonly bytes: number;
  readonly generations: { readonly tag: string; readonly stays: boolean }[];
}

function narinfo(path: string): string {
  return sandbox.host(`.local/cache/${path.replace("/nix/store/", "").slice(0, 32)}.narinfo`);
}

function archive(path: string): string {
  return sandbox.host(`.local/cache/${/^URL: (.+)$/m.exec(readFileSync(narinfo(path), "utf8"))?.[1]}`);
}

function narBytes(): number {
  const folder = sandbox.host(".local/cache/nar");
  return readdirSync(folder).reduce((sum, name) => sum + statSync(`${folder}/${name}`).size, 0);
}

test("a cache in order: everything that the stack needs is there and signed, on 80 columns", async () => {
  const { cache, image } = await outputs(sandbox);
  const status = await asJson<Status>(0, "cache", "status");
  assert.deepEqual([status.problem, status.publicKeys, status.unsigned, status.bytes], [null, [cache.publicKey], 0, narBytes()]);
  assert.deepEqual(status.images.map(({ tag, kept }) => [tag, kept]), [[image.tag, "live"]]);
  assert.deepEqual(status.parts.map(({ part }) => part).sort(), ["image", "layer0-base", "layer1-python", "layer2-wheels", "layer3-pytorch", "layer4-deps", "layer5-perf", "layer6-app"]);
  assert.ok(status.parts.every(({ bad, paths }) => bad.length === 0 && paths > 0));
  const { stdout } = await ops("cache", "status");
  assert.deepEqual(stdout.split("\n").filter((line) => [...line].length > 80), []);
  const { checked, bad } = await asJson<Verified>(0, "cache", "verify", "--deep");
  assert.ok(checked > 25 && bad.length === 0);
});

test("what is missing, unsigned or damaged is named, with the command that mends it; which does", async () => {
  const { layers } = await outputs(sandbox);
  const path = (layer: string) => layers[layer]?.storePath.replace("/nix/store/", "") ?? "";
  const [gone, unsigned, damaged, lost] = [path("layer5-perf"), path("layer4-deps"), path("layer3-pytorch"), path("layer6-app")];
  rmSync(narinfo(gone));
  writeFileSync(narinfo(unsigned), readFileSync(narinfo(unsigned), "utf8").replace(/^Sig: .*\n/gm, ""));
  const content = readFileSync(archive(damaged));
  content.writeUInt8(content.readUInt8(content.length >> 1) ^ 1, content.length >> 1);
  writeFileSync(archive(damaged), content);
  rmSync(archive(lost));

  const found = async (...args: string[]) => {
    const verified = await asJson<Verified>(2, "cache", "verify", ...args);
    return { ...verified, bad: verified.bad.map(({ path: name, trouble }) => `${trouble} ${name}`).sort() };
  };
  const seen = [`missing ${gone}`, `missing ${lost}`, `unsigned ${unsigned}`];
  assert.deepEqual((await found()).bad, seen);
  const { stdout, code } = await ops("cache", "verify", "--deep");
  assert.equal(code, 2);
  assert.deepEqual(stdout.split("\n").filter((line) => [...line].length > 80), []);
  assert.match(stdout, /^mended by: npm run --silent ops -- cache verify --deep --mend$/m);
  for (const words of [`missing   layer5-perf`, `unsigned  layer4-deps`, `damaged   layer3-pytorch`]) assert.ok(stdout.includes(words), words);
  assert.equal((await ops("cache", "status")).code, 2);

  const mended = await asJson<Verified>(0, "cache", "verify", "--deep", "--mend");
  assert.deepEqual(mended.bad.map(({ path: name, trouble }) => `${trouble} ${name}`).sort(), [`damaged ${damaged}`, ...seen].sort());
  assert.deepEqual([mended.left, mended.command], [[], null]);
  await asJson<Verified>(0, "cache", "verify", "--deep");
});

interface Keys {
  readonly current: string;
  readonly next: string | null;
  readonly trusted: string[];
  readonly unsigned: number;
  readonly step: string | null;
}

let oldKey = "";

test("CACHE_KEY_STEP: another key comes in steps; what the old one signed is taken while the new one signs", async () => {
  oldKey = (await outputs(sandbox)).cache.publicKey;
  assert.equal((await asJson<Keys>(0, "cache", "rotate-key")).step, null);
  const { stderr, code } = await ops("cache", "rotate-key", "switch");
  assert.equal(code, 1);
  assert.match(stderr, /^error\[CACHE_KEY_STEP\]: .*\n +found: +switch\n +expected: start$/m);
  const started = await asJson<Keys>(2, "cache", "rotate-key", "start");
  assert.deepEqual([started.current, started.trusted, started.step], [oldKey, [started.next], "switch"]);
  const switched = await asJson<Keys>(2, "cache", "rotate-key", "switch");
  assert.deepEqual([switched.current, switched.next, switched.trusted, switched.step], [started.next, null, [oldKey], "sign"]);
  assert.ok(switched.unsigned > 50);
  assert.equal(statSync(sandbox.host(".local/keys/cache.secret")).mode & 0o777, 0o600);
});

/** In place of rm: ends the script that called it when two of the paths that it is to take away are gone. */
const CUT = `#!/bin/sh
case "$*" in
  *.narinfo*) /bin/rm "$1" "$2" "$3" "$4"; kill -9 "$(ps -o ppid= -p "$PPID" | tr -d ' ')" "$PPID" ;;
  *) exec /bin/rm "$@" ;;
esac
`;

test("a collection keeps what it is told to, goes on where it was killed, and leaves a cache that warms an empty store", async () => {
  const first = (await outputs(sandbox)).image.tag;
  appendFileSync(sandbox.host("layers/layer6-app/app/main.py"), "# an edit\n");
  await up(sandbox);
  const second = (await outputs(sandbox)).image.tag;
  await asJson(0, "cache", "pin", first);
  const images = async () => (await asJson<Status>(0, "cache", "status")).images.map(({ tag, kept }) => [tag, kept]);
  assert.deepEqual(await images(), [[second, "live"], [first, "pinned"]]);
  assert.deepEqual((await asJson<Collected>(0, "cache", "gc", "--keep", "1", "--dry-run")).paths, []);
  await asJson(0, "cache", "unpin", first);
  const plan = await asJson<Collected>(2, "cache", "gc", "--keep", "1", "--dry-run");
  assert.deepEqual(plan.generations.map(({ tag, stays }) => [tag, stays]), [[second, true], [first, false]]);
  const before = narBytes();

  await sandbox.bash('mkdir -p "$TMPDIR/bin" && cat >"$TMPDIR/bin/rm" && chmod +x "$TMPDIR/bin/rm"', { input: CUT });
  const cut = await sandbox.run("bash", ["-c", "PATH=$TMPDIR/bin:$PATH exec node infra/ops.ts cache gc --keep 1"], { allowFailure: true });
  assert.equal(cut.code, 1, cut.stderr);
  await asJson(0, "cache", "verify", "--deep");
  const done = await ops("cache", "gc", "--keep", "1");
  assert.equal(done.code, 0, done.stderr);
  assert.ok(done.stderr.includes(`1 of 2 images go, with ${plan.paths.length - 2} paths and `), done.stderr);
  assert.deepEqual([before - narBytes(), await images()], [plan.bytes, [[second, "live"]]]);

  await sandbox.wipeStore(EMPTY_STORE);
  const { fetched } = await asJson<{ readonly fetched: number }>(0, "cache", "warm");
  assert.ok(fetched > 40, `${fetched}`);
  rmSync(sandbox.host(".local/backend/.pulumi"), { recursive: true });
  await up(sandbox);
  for (const [attr, { built, substituted }] of Object.entries((await outputs(sandbox)).layers)) assert.deepEqual([built, substituted], [0, 0], attr);
});

test("all that the old key signed gets the new one's signature, and the old one is forgotten", async () => {
  const signed = await asJson<Keys>(2, "cache", "rotate-key", "sign");
  assert.deepEqual([signed.unsigned, signed.trusted, signed.step], [0, [oldKey], "finish"]);
  const { current, trusted, step } = await asJson<Keys>(0, "cache", "rotate-key", "finish");
  assert.deepEqual([trusted, step, current === oldKey], [[], null, false]);
  const status = await asJson<Status>(0, "cache", "status");
  assert.deepEqual([status.publicKeys, status.unsigned], [[current], 0]);
});

test("CACHE_IMAGE_UNKNOWN, CACHE_BUSY and CACHE_LACKS: no such image; pins that never stand still; a cache that cannot warm", async () => {
  const refused = async (words: RegExp, ...args: string[]) => {
    const { code, stderr } = await sandbox.run("bash", ["-c", 'PATH=$TMPDIR/bin:$PATH exec node infra/ops.ts "$@"', "bash", ...args], { allowFailure: true });
    assert.equal(code, 1, stderr);
    assert.match(stderr, words);
  };
  await refused(/^error\[CACHE_IMAGE_UNKNOWN\]: the cache has no image 000000000000 of sample-zstd$/m, "cache", "pin", "000000000000");
  await sandbox.bash('mkdir -p "$TMPDIR/bin" && rm -f "$TMPDIR/bin/rm" && cat >"$TMPDIR/bin/sha256sum" && chmod +x "$TMPDIR/bin/sha256sum"', { input: "#!/bin/sh\ndate +%N%N%N%N%N%N%N%N\n" });
  await refused(/^error\[CACHE_BUSY\]: stack local: pins of its cache change all the time, so nothing was taken away$/m, "cache", "gc", "--keep", "1");
  await sandbox.wipeStore(EMPTY_STORE);
  rmSync(narinfo((await outputs(sandbox)).layers["layer0-base"]?.storePath ?? ""));
  await refused(/^error\[CACHE_LACKS\]: not all that the next run needs could be fetched: .*layer0-base/m, "cache", "warm");
});
