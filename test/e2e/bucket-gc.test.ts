/** The operators' commands for a cache in a bucket: its pins, a collection that is killed, a push at the same time, no AWS CLI. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { protocol } from "../../infra/request.ts";
import { AwsStandIn, brokenAws } from "../support/aws-stand-in.ts";
import { assertFault, recordedCommand, runScript } from "../support/host-scripts.ts";
import { withBucketNix } from "../support/other-nix.ts";
import { outputs } from "../support/outputs.ts";
import type { Result } from "../support/process.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

const BUCKET = "layers";
let aws: AwsStandIn;
let sandbox: Sandbox;
/** With the AWS CLI, and with one that does not run, whatever this machine has. */
let withCli: Record<string, string>;
let without: Record<string, string>;
let cache: { readonly kind: "s3"; readonly name: string; readonly publicKey: string };
let live = "";
let url = "";

before(async () => {
  [aws, sandbox] = await Promise.all([AwsStandIn.start(), warmSandbox()]);
  const path = await withBucketNix(sandbox.env["PATH"]);
  withCli = { ...Object.fromEntries(Object.entries(aws.env).filter(([key]) => /^AWS_|^PYTHONPATH$|^STAND_IN$|^REAL_AWS$/.test(key))), PATH: `${aws.folder}/bin:${path}`, COMFYUI_TRIES: "1" };
  without = { PATH: `${await brokenAws(sandbox)}:${path}` };
  await aws.ask("s3api", "create-bucket", "--bucket", BUCKET);
  const everyone = { Effect: "Allow", Principal: "*", Action: "s3:*", Resource: [`arn:aws:s3:::${BUCKET}`, `arn:aws:s3:::${BUCKET}/*`] };
  await aws.ask("s3api", "put-bucket-policy", "--bucket", BUCKET, "--policy", JSON.stringify({ Version: "2012-10-17", Statement: [everyone] }));
  const { stdout: secret } = await sandbox.run("nix", ["key", "generate-secret", "--key-name", "bucket-1"]);
  const { stdout: publicKey } = await sandbox.run("nix", ["key", "convert-secret-to-public"], { input: secret });
  cache = { kind: "s3", name: "bucket", publicKey: publicKey.trim() };
  url = `s3://${BUCKET}?region=us-east-1&scheme=http&endpoint=${aws.env["AWS_ENDPOINT_URL"]?.replace("http://", "")}`;
  const { stderr } = await runScript(sandbox, "open-cache", JSON.stringify({ protocol, stack: "local", cache: { ...cache, url, trusted: [], signingKey: secret, onFailure: "fail" }, substituters: [] }), { env: without });
  assert.match(stderr, /^warning\[CACHE_NO_PINS\]: this host has no AWS CLI/m);
  live = (await outputs(sandbox)).image.tag;
  // The stack's state as an `up` with this cache leaves it, as far as these commands read it.
  const { stdout: exported } = await sandbox.run("pulumi", ["stack", "export"]);
  const { stdin } = await recordedCommand(sandbox, "comfyui-host");
  const changed = JSON.stringify({ ...(JSON.parse(stdin) as object), cache });
  const state = JSON.parse(exported) as { deployment: { resources: { urn: string; inputs: Record<string, unknown> }[] } };
  for (const { urn, inputs } of state.deployment.resources) if (urn.endsWith("::comfyui-host")) inputs["stdin"] = changed;
  await sandbox.run("pulumi", ["stack", "import"], { input: JSON.stringify(state) });
});
after(async () => {
  await sandbox?.stop();
  await aws?.stop();
});

/** Derivations of images: each refers to a layer of its own, and that to a base which all have; one tool is there to build each. */
async function images(count: number): Promise<string[]> {
  const expression = `let
    path = name: text: derivation { inherit name text; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo $text >$out" ]; };
    base = path "base" "";
  in builtins.genList (n: path "image-\${toString n}" "\${path "layer-\${toString n}" "\${base}"}") ${count}`;
  const env = { NIX_CONFIG: "experimental-features = nix-command\nsubstituters =\nsandbox-paths = /bin/sh=/bin/bash /lib=/usr/lib /lib64=/usr/lib64\nbuild-users-group =\n" };
  const { stdout } = await sandbox.run("nix-instantiate", ["--expr", expression], { env });
  const drvs = stdout.trim().split("\n").map((line) => line.replace(/!.*$/, ""));
  await sandbox.run("nix-store", ["--realise", ...drvs], { env });
  return drvs;
}

const PUSH = `set -euo pipefail
for part in common cache; do . infra/hosts/$part.sh; done
read_request .cache.kind
use_cache
cache_find
WORK=$(mktemp -d) && mkdir -p "$STATE"/{owed,locks}
trap cache_release EXIT
: >"$WORK/log"
cache_deliver "$WORK/log" "$@" || { cat "$WORK/log" >&2; exit 1; }`;

async function push(env: Record<string, string>, name: string, drv: string): Promise<Result> {
  return sandbox.run("bash", ["-c", PUSH, "push", name, drv], { env, input: JSON.stringify({ protocol, cache, substituters: [] }), allowFailure: true });
}

async function ops(env: Record<string, string>, ...args: string[]): Promise<Result> {
  return sandbox.run("node", ["infra/ops.ts", ...args], { env, allowFailure: true });
}

async function asJson<T>(code: number, ...args: string[]): Promise<T> {
  const { stdout, stderr, code: found } = await ops(withCli, ...args, "--json");
  assert.equal(found, code, `${args.join(" ")}: ${stderr}\n${stdout.slice(0, 3000)}`);
  return JSON.parse(stdout) as T;
}

async function keys(prefix: string): Promise<string[]> {
  const { Contents = [] } = ((await aws.ask("s3api", "list-objects-v2", "--bucket", BUCKET, "--prefix", prefix)) ?? {}) as { Contents?: { Key: string }[] };
  return Contents.map(({ Key }) => Key).sort();
}

interface Plan {
  readonly paths: string[];
  readonly files: string[];
  readonly pins: string[];
  readonly bytes: number;
  readonly generations: { readonly tag: string; readonly stays: boolean }[];
}

interface Status {
  readonly images: { readonly tag: string; readonly kept: string | null }[];
}

/** Takes one of the objects away, then kills the script that asked, from its outermost shell: one whose child is killed first may tidy up. */
const CUT = `#!/usr/bin/env bash
case "$*" in
  *delete-objects*)
    file=$(grep -o 'file://[^ ]*' <<<"$*") && file=\${file#file://}
    jq -c '.Objects |= .[:1]' "$file" >"$file.one" && cat "$file.one" >"$file"
    "$REAL_AWS" "$@" >/dev/null
    at=$PPID victims=()
    while [ "$(ps -o comm= -p "$at")" = bash ]; do
      victims=("$at" "\${victims[@]}")
      at=$(ps -o ppid= -p "$at" | tr -d ' ')
    done
    kill -9 "\${victims[@]}" ;;
  *) exec "$REAL_AWS" "$@" ;;
esac
`;

async function script(name: string, request: object, env = withCli): Promise<Result> {
  const settings = { flavor: "sample", compression: "zstd", system: "x86_64-linux" };
  return runScript(sandbox, name, JSON.stringify({ protocol, cache, substituters: [], ...settings, ...request }), { env, allowFailure: true });
}

/** All that these refer to is in the bucket, signed, with the contents that it says. */
async function verify(drvs: readonly string[]): Promise<void> {
  const { stdout } = await sandbox.run("nix-store", ["--query", "--outputs", ...drvs]);
  await sandbox.run("nix", ["--extra-experimental-features", "nix-command", "store", "verify", "--store", url, "--recursive", "--sigs-needed", "1", "--option", "trusted-public-keys", cache.publicKey, "--option", "narinfo-cache-positive-ttl", "0", ...stdout.trim().split("\n")], { env: without });
}

const [OLD, MIDDLE] = ["1".repeat(12), "2".repeat(12)];

test("images in a bucket: the old ones go with what only they need; live, pinned and unnamed stay; a kill in the middle loses nothing", async (t) => {
  const drvs = await images(4);
  const [old = "", middle = "", newest = "", unpinned = ""] = drvs;
  for (const [name, drv, env] of [[OLD, old, withCli], [MIDDLE, middle, withCli], [live, newest, withCli], ["3".repeat(12), unpinned, without]] as const) {
    const { code, stderr } = await push(env, `images/${name}`, drv);
    assert.equal(code, 0, stderr);
  }
  assert.deepEqual([await keys("locks/"), (await keys("pins/")).length], [[], 6]);
  await asJson(0, "cache", "pin", OLD);
  const status = await asJson<Status>(2, "cache", "status");
  assert.deepEqual(status.images.map(({ tag, kept }) => [tag, kept]), [[live, "live"], [MIDDLE, null], [OLD, "pinned"]]);

  const plan = await asJson<Plan>(2, "cache", "gc", "--keep", "1", "--dry-run");
  assert.deepEqual(plan.generations.map(({ tag, stays }) => [tag, stays]), [[live, true], [MIDDLE, false], [OLD, true]]);
  assert.deepEqual([plan.paths.map((path) => path.slice(33)), plan.pins], [["image-1", "layer-1"], [`local/images/${MIDDLE}`, `local/images/${MIDDLE}/with/0`]]);
  const gone = plan.paths.map((path) => `${path.slice(0, 32)}.narinfo`);
  const all = await keys("");
  assert.ok(plan.bytes > 0 && plan.files.length === 1, "all layers have the same content, and so one archive");

  await t.test("killed after the first object", async () => {
    mkdirSync(join(aws.folder, "cut"));
    writeFileSync(join(aws.folder, "cut/aws"), CUT, { mode: 0o755 });
    assert.equal((await ops({ ...withCli, PATH: `${aws.folder}/cut:${withCli["PATH"]}` }, "cache", "gc", "--keep", "1")).code, 1);
    const left = await keys("");
    assert.deepEqual(all.filter((key) => !left.includes(key)), [gone[0]]);
    await verify([old, newest, unpinned]);
  });
  await t.test("CACHE_BUSY: a push waits for a collection, and a collection for a push", async () => {
    const [lock = ""] = await keys("locks/");
    assert.match(lock, /^locks\/collection\/local\./);
    const refused = await push(withCli, `images/${live}`, newest);
    assert.match(refused.stderr, /^error\[CACHE_PUSH_FAILED\]: could not copy to the cache bucket at s3:.*\n? *found: +locks\/collection\/local\./m);
    await aws.ask("s3api", "delete-object", "--bucket", BUCKET, "--key", lock);
    await aws.ask("s3api", "put-object", "--bucket", BUCKET, "--key", "locks/push/other");
    assertFault(await script("ops/cache-drop", { digest: "0", paths: [], files: [], pins: [] }), "CACHE_BUSY", [/found: +locks\/push\/other$/m, "delete the object"]);
    assert.deepEqual(await keys("locks/"), ["locks/push/other"]);
    await aws.ask("s3api", "delete-object", "--bucket", BUCKET, "--key", "locks/push/other");
  });
  await t.test("the next one takes the rest", async () => {
    await asJson(0, "cache", "gc", "--keep", "1");
    const expected = all.filter((key) => ![...gone, ...plan.files].includes(key) && !key.startsWith(`pins/local/images/${MIDDLE}/`));
    assert.deepEqual(await keys(""), expected);
    await verify([old, newest, unpinned]);
  });
  await t.test("AWS_REQUEST: credentials that may not delete; then what was pinned goes too", async () => {
    const unpin = () => script("ops/cache-pin", { owner: "local", tag: OLD, keep: false });
    aws.rules([{ call: "delete-objects", error: "AccessDenied" }]);
    assertFault(await unpin(), "AWS_REQUEST", ["AWS did not do what was asked of the bucket layers", "AccessDenied"]);
    aws.rules([]);
    assert.equal((await unpin()).code, 0);
    await asJson(0, "cache", "gc", "--keep", "1");
    assert.deepEqual(await keys("pins/"), [`pins/local/images/${live}/paths`, `pins/local/images/${live}/with/0/paths`]);
    assert.deepEqual(await keys("locks/"), []);
    await verify([newest, unpinned]);
  });
});

test("CACHE_NO_PINS: without the AWS CLI nothing is pinned or collected", async () => {
  const { code, stderr } = await ops(without, "cache", "gc", "--keep", "1");
  assert.equal(code, 1);
  assert.match(stderr, /^error\[CACHE_NO_PINS\]: stack local: .*\n +found: +no AWS CLI/m);
  assertFault(await script("ops/cache-pin", { owner: "local", tag: live, keep: true }, without), "CACHE_NO_PINS", ["no AWS CLI"]);
});
