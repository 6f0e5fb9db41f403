/** What operators do with published images: promote, roll back, compare, list what is in one. Two stacks, one real registry. */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { readLocks } from "../../infra/ops/sbom/sources.ts";
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
  await addStack("release", { kind: "registry", repository: `${registry.address}/release`, tls: false });
});
after(async () => {
  await registry.stop();
  await sandbox.stop();
});

/** A stack that was never up. */
async function addStack(name: string, config: object): Promise<void> {
  const salt = /encryptionsalt"?: "?([^\s"]+)/.exec(readFileSync(sandbox.host("stacks/Pulumi.local.yaml"), "utf8"))?.[1];
  writeFileSync(sandbox.host(`stacks/Pulumi.${name}.yaml`), JSON.stringify({ encryptionsalt: salt, config: { "comfyui:registry": config } }));
  await sandbox.run("pulumi", ["stack", "init", name, "--no-select", "--non-interactive"]);
}

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
  const dry = await ops(["promote", "--from", "local", "--to", "release", "--dry-run"], { allowFailure: true });
  assert.equal(dry.code, 2, dry.stderr);
  assert.match(dry.stdout, /^Size +64\.\d MB, to be copied$/m);
  assert.match(dry.stdout, /^Tag +stable would move here, new$/m);
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

  const dry = await ops(["rollback", "--stack", "release", "--dry-run"], { allowFailure: true });
  assert.equal(dry.code, 2, dry.stderr);
  assert.match(dry.stdout, new RegExp(`^stable would go from ${second.tag} to ${first.tag}$`, "m"));
  assert.equal(await digestOf("stable"), second.digest);
  await ops(["rollback", "--stack", "release"]);
  assert.equal(await digestOf("stable"), first.digest);
  const none = await ops(["rollback", "--stack", "release"], { allowFailure: true });
  assert.match(none.stderr, /^error\[PROMOTE_NONE_BEFORE\]: .*: there is no image to go back to$/m);
  await ops(["rollback", "--stack", "release", "--to", second.tag]);
  assert.equal(await digestOf("stable"), second.digest);
});

test("diff: the two images, layer by layer; exit code 2 where they differ", async () => {
  const { code, stdout, stderr } = await ops(["diff", first.tag, `${registry.address}/release:${second.tag}`, "--no-tls"], { allowFailure: true });
  assert.equal(code, 2, stderr);
  assert.match(stdout, /^layer5-perf +880\.7 kB +880\.7 kB +same$/m);
  assert.match(stdout, /^layer6-app +\d\d\.\d kB +(\d\d\.\d kB) +\1$/m);
  assert.match(stdout, /^No package has another version\.$/m);
  assert.match(stdout, /^comfyui-program +layer6-app +32\.\d kB +32\.\d kB$/m);
  assert.ok(stdout.split("\n").slice(2).every((line) => line.length <= 80), stdout);
});

test("sbom: a valid CycloneDX document with every locked package and each Debian package of the image; equal bytes again", async () => {
  const file = "tmp/sbom.json";
  await sandbox.bash("mkdir -p tmp");
  await ops(["sbom", second.tag, "--out", file]);
  const text = readFileSync(sandbox.host(file), "utf8");
  assert.equal(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text), null);
  const { components, dependencies } = JSON.parse(text) as { components: Component[]; dependencies: { ref: string; dependsOn?: string[] }[] };
  const locks = readLocks(sandbox.host("layers"), "sample");
  const hashes = new Map(components.map((each) => [each.hashes?.[0]?.content, each]));
  for (const [hash, { name, version }] of locks.files) assert.equal(hashes.get(hash)?.purl, `pkg:pypi/${name}@${version}`);
  assert.equal(components.find(({ name }) => name === "zlib1g")?.purl, `pkg:deb/debian/zlib1g@${[...locks.debian.values()].find(({ name }) => name === "zlib1g")?.version}?arch=amd64&distro=${locks.suite}`);
  assert.deepEqual(components.filter(({ purl, type }) => purl === undefined && type !== "file"), []);
  const numpy = components.find(({ name }) => name === "numpy");
  assert.ok(numpy?.properties.some(({ name, value }) => name === "comfyui:layer" && value === "layer3-pytorch"));
  assert.ok(numpy?.licenses?.length, "the licence of its metadata");
  // From the image all is reached.
  const below = new Map(dependencies.map(({ ref, dependsOn = [] }) => [ref, dependsOn]));
  const reached = new Set<string>();
  for (const todo = ["image"]; todo.length > 0; ) {
    const ref = todo.pop() as string;
    if (!reached.has(ref)) todo.push(...(below.get(ref) ?? []));
    reached.add(ref);
  }
  assert.deepEqual(components.map((each) => each["bom-ref"]).filter((ref) => !reached.has(ref)), []);
  assert.equal((await ops(["sbom", `${registry.address}/release:stable`, "--no-tls"])).stdout, text, "the same image from the other registry");
});

interface Component {
  readonly "bom-ref": string;
  readonly type: string;
  readonly name: string;
  readonly purl?: string;
  readonly hashes?: readonly { content: string }[];
  readonly licenses?: readonly object[];
  readonly properties: readonly { name: string; value: string }[];
}

test("promote from a folder of images to another folder: the copy is whole", async () => {
  await addStack("shelf", { kind: "oci-directory", path: ".local/shelf" });
  await ops(["promote", "--from", "local", "--to", "shelf", "--tag", "tested"]);
  const { stdout } = await sandbox.run("skopeo", ["inspect", "--format", "{{.Digest}}", "oci:.local/shelf:tested"]);
  assert.equal(stdout.trim(), second.digest);
  await sandbox.run("skopeo", ["--insecure-policy", "copy", "oci:.local/shelf:tested", `dir:${sandbox.at}/tmp/whole`]);
});

test("OPS_NOT_UP: a stack that published nothing has nothing to promote", async () => {
  const { code, stderr } = await ops(["promote", "--from", "release", "--to", "local"], { allowFailure: true });
  assert.equal(code, 1);
  assert.match(stderr, /^error\[OPS_NOT_UP\]: stack release: no image was published with this stack yet$/m);
});
