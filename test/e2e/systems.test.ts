/**
 * A stack of two systems, for real, up to the machine: what is built for aarch64-linux here has this machine's programs in it
 * (the sample's locks have no others), and this machine's Nix is told that it emulates that system. Derivations, requests, images,
 * index, registry and Docker are those that an aarch64 machine's layers would meet.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { z } from "zod";
import { imageAnswer, layerOutput } from "../../infra/answers.ts";
import { protocol } from "../../infra/request.ts";
import { Docker } from "../support/docker.ts";
import { assertFault, recordedCommand, runScript } from "../support/host-scripts.ts";
import type { RawGraph } from "../support/layer-edits.ts";
import { preview, stackOutput, up } from "../support/pulumi.ts";
import { Registry } from "../support/registry.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { configure } from "../support/stack-config.ts";
import { warmSandbox } from "../support/warm.ts";

const SYSTEMS = ["x86_64-linux", "aarch64-linux"] as const;
/** Two layers are enough for what is shown here. */
const LAYERS = ["layer0-base", "layer1-small"];

/** This machine's Nix with a further setting. */
const nixWith = (setting: string) => ({ NIX_CONFIG: `${sandbox.env["NIX_CONFIG"] ?? ""}\n${setting}` });
const emulates = () => nixWith("extra-platforms = aarch64-linux");

const byAttr = z.record(z.string(), layerOutput);
const form = z.object({ layers: z.record(z.enum(SYSTEMS), byAttr), image: imageAnswer });
const outputsOf = async () => form.parse(await stackOutput(sandbox));

let sandbox: Sandbox;
let registry: Registry;
before(async () => {
  [sandbox, registry] = await Promise.all([warmSandbox(), Registry.start()]);
  standIn();
  edit("layers.json", (text) => {
    const { layers: [base], ...graph } = JSON.parse(text) as RawGraph;
    const small = { attr: LAYERS[1], inputs: ["layer1-small/"], on: [base?.attr], after: [], blob: true, smoke: [] };
    return JSON.stringify({ ...graph, layers: [base, small] });
  });
  small("once");
  configure(sandbox, { registry: registryConfig() });
  await up(sandbox);
});
after(async () => {
  await Promise.all([sandbox.stop(), registry.stop()]);
});

const registryConfig = () => ({ kind: "registry", repository: `${registry.address}/comfyui`, tls: false });

function edit(file: string, change: (text: string) => string): void {
  const path = sandbox.host(`layers/${file}`);
  writeFileSync(path, change(readFileSync(path, "utf8")));
}

/** What the upper layer holds. */
function small(content: string): void {
  mkdirSync(sandbox.host("layers/layer1-small"), { recursive: true });
  writeFileSync(sandbox.host("layers/layer1-small/default.nix"), `{ ... }: { files."share/small" = builtins.toFile "small" "${content}"; }\n`);
}

/** The locked files of this machine for every system, and aarch64's platform with this machine's loader and names. */
function standIn(): void {
  for (const file of ["package-sets/debian/build.lock.json", "package-sets/debian/debs/lock.json"]) edit(file, (text) => text.replaceAll(', "system": "x86_64-linux"', ""));
  edit("flavors/sample/requirements.json", (text) => text.replace('"systems": {', '"systems": {"aarch64-linux": "manylinux_2_28", '));
  edit("lib/platforms.nix", (text) => text.replace("aarch64-linux-gnu", "x86_64-linux-gnu").replace("ld-linux-aarch64.so.1", "ld-linux-x86-64.so.2").replace('debian = "arm64"', 'debian = "amd64"'));
}

test("a second system: its layers come beside those that are there, under names of their own, and one index is published", async (t) => {
  configure(sandbox, { registry: registryConfig(), systems: [...SYSTEMS] });
  const planned = await preview(sandbox);
  const made = LAYERS.map((attr) => `comfyui-aarch64-${attr}`);
  const wanted = ["comfyui-host", ...made, "comfyui-publish-image"].sort();
  assert.deepEqual([...planned.rows.values()].filter(({ custom }) => custom).map(({ name }) => name).sort(), wanted);
  const comment = (await sandbox.run("node", ["infra/ops.ts", "plan", "--markdown", "--stack", "local"], { allowFailure: true })).stdout;
  for (const part of ["2 of 4 layers run, the image is published, 1 other resource changes", "| layer0-base (x86_64-linux) | – |", "| layer1-small (aarch64-linux) | **runs for the first time** |", "Sends: everything that the registry lacks"]) assert.ok(comment.includes(part), comment);

  const mark = registry.requests().length;
  const update = await up(sandbox, { env: emulates() });
  assert.deepEqual([...update.ran].sort(), wanted);
  const { layers, image } = await outputsOf();
  assert.deepEqual(Object.values(layers).map((each) => Object.keys(each)), [LAYERS, LAYERS]);
  assert.notEqual(layers["aarch64-linux"]["layer0-base"]?.storePath, layers["x86_64-linux"]["layer0-base"]?.storePath);
  assert.ok((layers["aarch64-linux"]["layer1-small"]?.built ?? 0) > 0);
  const received = await registry.received(mark);
  assert.deepEqual([image.status, image.sentBytes], ["published", received.total]);
  assert.deepEqual(JSON.parse((await sandbox.run("node", ["infra/ops.ts", "drift", "--json"])).stdout), { findings: [] });
  const { runs } = JSON.parse((await sandbox.run("node", ["infra/ops.ts", "builds", "--json"])).stdout) as { runs: Record<string, object[]> };
  assert.deepEqual(Object.keys(runs).filter((name) => runs[name]?.length), [...LAYERS, ...LAYERS.map((attr) => `${attr}-aarch64`), "image"]);
  t.diagnostic(`${update.process.seconds.toFixed(0)} s; sent ${image.sentBytes} of ${image.size} bytes, the other image was there`);
});

interface Manifests {
  readonly mediaType: string;
  readonly manifests: readonly { readonly digest: string; readonly platform: object }[];
}

async function inspectRaw(reference: string): Promise<unknown> {
  return JSON.parse((await sandbox.run("skopeo", ["inspect", "--raw", "--tls-verify=false", reference])).stdout);
}

const PLATFORMS = [{ architecture: "arm64", os: "linux", variant: "v8" }, { architecture: "amd64", os: "linux" }];

test("the index has a manifest for each system, which is there by its digest too", async () => {
  const { image } = await outputsOf();
  const index = (await inspectRaw(image.reference)) as Manifests;
  assert.equal(index.mediaType, "application/vnd.oci.image.index.v1+json");
  assert.deepEqual(index.manifests.map(({ platform }) => platform), PLATFORMS);
  assert.deepEqual(index.manifests.map(({ digest }) => digest), [image.images?.["aarch64-linux"]?.digest, image.images?.["x86_64-linux"]?.digest]);
  for (const { digest } of index.manifests) {
    const { layers } = (await inspectRaw(`docker://${registry.address}/comfyui@${digest}`)) as { layers: unknown[] };
    assert.equal(layers.length, LAYERS.length);
  }
});

test("an index is promoted with all its images, and a tag is set to it", async () => {
  const { image } = await outputsOf();
  const target = { ...registryConfig(), repository: `${registry.address}/promoted` };
  const script = async (name: string, request: object) => JSON.parse((await runScript(sandbox, `ops/${name}`, JSON.stringify({ protocol, registry: target, ...request }))).stdout) as Record<string, unknown>;
  const mark = registry.requests().length;
  const copied = await script("copy-image", { source: { reference: image.reference, digest: image.digest, tls: false }, tag: image.tag });
  assert.deepEqual([copied["status"], copied["digest"], copied["size"]], ["copied", image.digest, image.size]);
  // Blobs come from the repository beside it, without being sent.
  assert.deepEqual((await registry.received(mark)).manifests.map(({ digest }) => digest).sort(), [image.digest, ...Object.values(image.images ?? {}).map(({ digest }) => digest)].sort());
  assert.deepEqual((await script("set-tags", { moves: "stable", stands: null, set: [{ tag: "stable", from: image.tag }] }))["digests"], { stable: image.digest });
});

test("Docker takes the image of its machine, and another one where it is asked for", async () => {
  const { image } = await outputsOf();
  await using docker = await Docker.start("newer");
  const reference = `${registry.address}/comfyui:${image.tag}`;
  const architecture = async () => (await docker.run(["image", "inspect", "--format", "{{.Architecture}}", reference])).stdout.trim();
  await docker.run(["pull", "--quiet", "--platform", "linux/arm64", reference]);
  assert.equal(await architecture(), "arm64");
  await docker.run(["pull", "--quiet", reference]);
  assert.equal(await architecture(), "amd64");
  const run = await docker.run(["run", "--rm", "--network=none", `${registry.address}/comfyui@${image.digest}`, "jq", "-n", "1 + 1"]);
  assert.equal(run.stdout, "2\n");
  const { stdout } = await docker.run(["manifest", "inspect", "--insecure", reference]);
  assert.deepEqual((JSON.parse(stdout) as Manifests).manifests.map(({ platform }) => platform), PLATFORMS);
});

test("a publish of what is there sends nothing; an edit sends the changed layers' blobs, configs, manifests and the index", async () => {
  const before = (await outputsOf()).image;
  const start = registry.requests().length;
  const again = imageAnswer.parse(JSON.parse((await runScript(sandbox, "publish-image", (await recordedCommand(sandbox, "comfyui-publish-image")).stdin, { env: emulates() })).stdout));
  assert.deepEqual([again.status, again.sentBytes, again.digest, again.images], ["already published", 0, before.digest, before.images]);
  assert.equal((await registry.received(start)).total, 0);

  small("twice");
  const planned = await preview(sandbox);
  assert.deepEqual(planned.rows.get("comfyui-publish-image")?.changes.map(({ path }) => path.join(" ")).sort(), ["below", "images aarch64-linux layer1-small", "images x86_64-linux layer1-small", "tag"]);
  const mark = registry.requests().length;
  await up(sandbox, { env: emulates() });
  const { layers, image } = await outputsOf();
  const received = await registry.received(mark);
  const changed = Object.values(layers).flatMap((each) => (each["layer1-small"]?.blobs ?? []).map(({ digest }) => digest));
  assert.equal(changed.length, 2);
  assert.deepEqual(changed.filter((digest) => !received.blobs.some((blob) => blob.digest === digest)), []);
  assert.equal(received.blobs.length, 4, "two blobs, two configs");
  assert.deepEqual(received.manifests.map(({ digest }) => digest).sort(), [image.digest, ...Object.values(image.images ?? {}).map(({ digest }) => digest)].sort());
  assert.deepEqual([image.sentBytes, image.sentBytes + image.skippedBytes], [received.total, image.size]);
});

test("a folder gets the same index, with the blobs that it lacks", async () => {
  const published = (await outputsOf()).image;
  configure(sandbox, { systems: [...SYSTEMS] });
  await up(sandbox, { env: emulates() });
  const { image } = await outputsOf();
  assert.deepEqual([image.digest, image.images, image.size], [published.digest, published.images, published.size]);
  assert.deepEqual(((await inspectRaw(image.reference)) as Manifests).manifests.map(({ platform }) => platform), PLATFORMS);
  assert.ok(image.reference.startsWith("oci:") && image.sentBytes > 0 && image.sentBytes < image.size, JSON.stringify(image));
});

test("HOST_SYSTEM: a host that builds for the first system alone; emulation or a builder of Nix's will do", async () => {
  const { stdin } = await recordedCommand(sandbox, "comfyui-host");
  assertFault(await runScript(sandbox, "ready", stdin, { allowFailure: true }), "HOST_SYSTEM", ["does not build for aarch64-linux", /found: +x86_64-linux/, /expected: aarch64-linux\n/]);
  for (const setting of ["extra-platforms = aarch64-linux", "builders = ssh://other x86_64-linux ; ssh://arm riscv64-linux,aarch64-linux - 4"]) {
    const { stdout } = await runScript(sandbox, "ready", stdin, { env: nixWith(setting) });
    assert.equal((JSON.parse(stdout) as { system: string }).system, "x86_64-linux");
  }
});
