/** A cache in a bucket, without the AWS CLI: what is pushed, by which key it is taken, and what Nix may not remember of it. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { cacheAnswer, layerAnswer, parseAnswer } from "../../infra/answers.ts";
import { newSigningKey, publicKeyOf } from "../../infra/config/signing-key.ts";
import { parsePathInfos, signatureBy } from "../../infra/ops/cache/path-info.ts";
import { protocol } from "../../infra/request.ts";
import { brokenAws } from "../support/aws-stand-in.ts";
import { newestLog, recordedCommand, runScript } from "../support/host-scripts.ts";
import { otherNix, withBucketNix } from "../support/other-nix.ts";
import type { Result } from "../support/process.ts";
import { type S3Server, startS3 } from "../support/s3-server.ts";
import { EMPTY_STORE, type Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

const key = newSigningKey("team-1");
const nextKey = newSigningKey("next-1");

let sandbox: Sandbox;
let bucket: S3Server;
let env: Readonly<Record<string, string>>;
let storePath: string;

before(async () => {
  sandbox = await warmSandbox();
  bucket = await startS3("layers");
  env = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret", PATH: `${await brokenAws(sandbox)}:${await withBucketNix(sandbox.env["PATH"])}` };
});
after(async () => {
  await bucket?.[Symbol.asyncDispose]();
  await sandbox?.stop();
});

const cacheOf = (signingKey: string) => ({ kind: "s3", name: "bucket", publicKey: publicKeyOf(signingKey) });

async function open(signingKey: string): Promise<Result> {
  const cache = { ...cacheOf(signingKey), url: bucket.url, trusted: [], signingKey, onFailure: "fail" };
  return runScript(sandbox, "open-cache", JSON.stringify({ protocol, stack: "remote", cache, substituters: [] }), { env });
}

/** Layer 2. */
async function build(signingKey: string) {
  const { stdin } = await recordedCommand(sandbox, "comfyui-layer2-wheels");
  const { stdout } = await runScript(sandbox, "build-layer", JSON.stringify({ ...(JSON.parse(stdin) as object), cache: cacheOf(signingKey) }), { env });
  return parseAnswer(layerAnswer, stdout);
}

const narinfo = () => bucket.objects.get(`${storePath.slice("/nix/store/".length).slice(0, 32)}.narinfo`)?.toString() ?? "";

/** Puts another signature in the place of every one in the bucket. */
async function signAnew(): Promise<void> {
  const signature = signatureBy(nextKey);
  for (const [object, content] of bucket.objects) {
    const [info] = object.endsWith(".narinfo") ? parsePathInfos(content.toString()) : [];
    if (info === undefined) continue;
    await request("PUT", object, `${content.toString().replace(/^Sig: .*\n/gm, "")}Sig: ${signature(info)}\n`);
  }
}

async function request(method: string, object: string, body?: string): Promise<void> {
  const { ok } = await fetch(bucket.readUrl.replace("?", `/${object}?`), { method, ...(body === undefined ? {} : { body }) });
  assert.ok(ok, object);
}

test("a bucket: signed objects, and an empty store takes all of a layer from it", async () => {
  assert.deepEqual(parseAnswer(cacheAnswer, (await open(key)).stdout), { location: bucket.url, publicKey: publicKeyOf(key) });
  ({ storePath } = await build(key));
  assert.match(narinfo(), /^Sig: team-1:/m);
  // Also by a Nix without S3, as Debian 13's.
  const verify = ["nix", "store", "verify", "--extra-experimental-features", "nix-command", "--store", bucket.readUrl, "--sigs-needed", "1", "--option", "trusted-public-keys", publicKeyOf(key), storePath];
  await sandbox.run("env", [`PATH=${await otherNix()}:${sandbox.env["PATH"]}`, ...verify]);
  await sandbox.wipeStore(EMPTY_STORE);
  const again = await build(key);
  assert.deepEqual([again.built, again.cached, again.storePath], [0, true, storePath]);
  assert.match(newestLog(sandbox, "layer2-wheels"), /^copying path '.*-layer2-wheels' from 's3:/m);
});

test("all is signed anew, by another key alone, while this host's Nix has just seen the former signatures", async () => {
  await signAnew();
  await open(nextKey);
  await sandbox.wipeStore(EMPTY_STORE);
  const { built, cached } = await build(nextKey);
  assert.deepEqual([built, cached], [0, true]);
});

test("what went from the bucket, and Nix has just seen there, is pushed again", async () => {
  for (const object of [...bucket.objects.keys()].filter((each) => each !== "nix-cache-info")) await request("DELETE", object);
  const { built, cached } = await build(nextKey);
  assert.deepEqual([built, cached], [0, true]);
  assert.match(narinfo(), /^Sig: next-1:/m);
});
