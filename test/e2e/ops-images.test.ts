/** What operators do with published images: promote, roll back, compare, list what is in one. Two stacks, one real registry. */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { outputs } from "../support/outputs.ts";
import type { Result } from "../support/process.ts";
import { up } from "../support/pulumi.ts";
import { Registry } from "../support/registry.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

let sandbox: Sandbox;
let registry: Registry;
/** What the stack `local` published first, and after an edit. */
let first: Image;
let second: Image;
type Image = Awaited<ReturnType<typeof outputs>>["image"];

before(async () => {
  [sandbox, registry] = [await warmSandbox(), await Registry.start()];
  first = (await outputs(sandbox)).image;
  const salt = /encryptionsalt"?: "?([^\s"]+)/.exec(readFileSync(sandbox.host("stacks/Pulumi.local.yaml"), "utf8"))?.[1];
  writeFileSync(sandbox.host("stacks/Pulumi.release.yaml"), JSON.stringify({ encryptionsalt: salt, config: { "comfyui:registry": { kind: "registry", repository: `${registry.address}/release`, tls: false } } }));
  await sandbox.run("pulumi", ["stack", "init", "release", "--no-select", "--non-interactive"]);
});
after(async () => {
  await registry.stop();
  await sandbox.stop();
});

async function ops(args: readonly string[], options: { readonly allowFailure?: boolean } = {}): Promise<Result> {
  return sandbox.run("node", ["infra/ops.ts", ...args], options);
}

async function json<T>(...args: string[]): Promise<T> {
  return JSON.parse((await ops([...args, "--json"])).stdout) as T;
}

async function digestOf(tag: string): Promise<string> {
  const { stdout } = await sandbox.run("skopeo", ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", `docker://${registry.address}/release:${tag}`]);
  return stdout.trim();
}

interface Promoted {
  readonly status: string;
  readonly sentBytes: number;
  readonly set: readonly { tag: string }[];
}

test("promote from a folder of images to a registry: a dry run moves nothing, then the digest is there, under its own tag and `stable`", async () => {
  const dry = await json<Promoted>("promote", "--from", "local", "--to", "release", "--dry-run");
  assert.equal(dry.status, "to be copied");
  assert.equal((await registry.received()).total, 0);
  const { stdout } = await ops(["promote", "--from", "local", "--to", "release"]);
  assert.match(stdout, /^Size +64\.\d MB, copied, 64\.\d MB sent$/m);
  assert.match(stdout, /^Tag +stable moved here, new$/m);
  assert.deepEqual([await digestOf(first.tag), await digestOf("stable")], [first.digest, first.digest]);
  assert.ok(stdout.split("\n").every((line) => line.length <= 80), stdout);
});

test("promote again: nothing is sent, nothing moves", async () => {
  const mark = registry.requests().length;
  const again = await json<Promoted>("promote", "--from", "local", "--to", "release");
  assert.deepEqual([again.status, again.sentBytes, again.set], ["already there", 0, []]);
  assert.equal((await registry.received(mark)).total, 0);
});

test("the next image: only what changed is sent; rollback takes `stable` back, and forth by --to", async () => {
  appendFileSync(sandbox.host("layers/layer6-app/app/page.html"), "<!-- an edit -->\n");
  await up(sandbox);
  second = (await outputs(sandbox)).image;
  const mark = registry.requests().length;
  const promoted = await json<Promoted>("promote", "--from", "local", "--to", "release");
  assert.ok(promoted.sentBytes < 200_000, `${promoted.sentBytes} bytes`);
  assert.deepEqual((await registry.received(mark)).blobs.length, 2, "layer 6 and the config");
  assert.equal(await digestOf("stable"), second.digest);

  const dry = await ops(["rollback", "--stack", "release", "--dry-run"]);
  assert.match(dry.stdout, new RegExp(`^stable would go from ${second.tag} to ${first.tag}$`, "m"));
  assert.equal(await digestOf("stable"), second.digest);
  await ops(["rollback", "--stack", "release"]);
  assert.equal(await digestOf("stable"), first.digest);
  const none = await ops(["rollback", "--stack", "release"], { allowFailure: true });
  assert.match(none.stderr, /^error\[PROMOTE_NONE_BEFORE\]: .*: there is no image to go back to$/m);
  for (const _ of [1, 2]) await ops(["rollback", "--stack", "release", "--to", second.tag]);
  assert.equal(await digestOf("stable"), second.digest);
  const lost = await ops(["rollback", "--stack", "release", "--to", "000000000000"], { allowFailure: true });
  assert.match(lost.stderr, /^error\[IMAGE_MISSING\]: /m);
});

test("OPS_NOT_UP: a stack that published nothing has nothing to promote", async () => {
  const { code, stderr } = await ops(["promote", "--from", "release", "--to", "local"], { allowFailure: true });
  assert.equal(code, 1);
  assert.match(stderr, /^error\[OPS_NOT_UP\]: stack release: no image was published with this stack yet$/m);
});
