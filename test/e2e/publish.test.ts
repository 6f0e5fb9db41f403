/** Publishing to a real registry: what is sent, and whether others can read it. */
import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { blobsSize, type LayerOutput } from "../../infra/answers.ts";
import { imageLayers } from "../../infra/fingerprint.ts";
import { parseLayerGraph } from "../../infra/layer-graph.ts";
import { Docker, type DockerKind } from "../support/docker.ts";
import { recordedCommand, runScript } from "../support/host-scripts.ts";
import { outputs } from "../support/outputs.ts";
import { up } from "../support/pulumi.ts";
import { Registry } from "../support/registry.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { configure } from "../support/stack-config.ts";
import { warmSandbox } from "../support/warm.ts";

const registryConfig = (registry: Registry) => ({ kind: "registry", repository: `${registry.address}/comfyui`, tls: false });
const tagOf = async (sandbox: Sandbox) => (await outputs(sandbox)).image.tag;

const digests = (layer: LayerOutput | undefined) => (layer?.blobs ?? []).map(({ digest }) => digest);

/** A layer-6 edit that reaches the image. */
function edit(sandbox: Sandbox): void {
  appendFileSync(sandbox.host("layers/layer6-app/app/page.html"), "<!-- an edit -->\n");
}

test("zstd: bytes, requests, and the engines that read it", async (t) => {
  await using sandbox = await warmSandbox();
  await using registry = await Registry.start();
  configure(sandbox, { registry: registryConfig(registry) });

  await t.test("another registry runs the publish and no layer; everything is sent", async () => {
    const update = await up(sandbox);
    assert.deepEqual(update.ran, ["comfyui-host", "comfyui-publish-image"]);
    const { image } = await outputs(sandbox);
    assert.equal(image.status, "published");
    assert.equal(image.reference, `docker://${registry.address}/comfyui:${image.tag}`);
    assert.deepEqual([image.sentBytes, image.skippedBytes], [image.size, 0]);
    assert.equal((await registry.received()).total, image.size);
  });

  await t.test("an edit of layer 6 sends layer 6's blob, the config and the manifest, by the registry's own access log", async () => {
    const mark = registry.requests().length;
    edit(sandbox);
    await up(sandbox);
    const { image, layers } = await outputs(sandbox);
    const received = await registry.received(mark);
    const manifest = JSON.parse((await sandbox.run("skopeo", ["inspect", "--raw", "--tls-verify=false", image.reference])).stdout) as { config: { digest: string } };
    assert.deepEqual(received.blobs.map(({ digest }) => digest).sort(), [...digests(layers["layer6-app"]), manifest.config.digest].sort());
    assert.deepEqual(received.manifests.map(({ digest }) => digest), [image.digest]);
    assert.equal(received.total, image.sentBytes);
    assert.equal(image.sentBytes + image.skippedBytes, image.size);
    t.diagnostic(`sent ${image.sentBytes} of ${image.size} bytes, in ${registry.requests().length - mark} requests`);
  });

  await t.test("a publish of what is there sends nothing", async () => {
    const mark = registry.requests().length;
    const { stdin } = await recordedCommand(sandbox, "comfyui-publish-image");
    const { stdout } = await runScript(sandbox, "publish-image", stdin);
    const answer = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual([answer["status"], answer["sentBytes"]], ["already published", 0]);
    assert.equal((await registry.received(mark)).total, 0);
    const requests = registry.requests().length - mark;
    t.diagnostic(`${requests} requests where there is nothing to publish`);
    assert.ok(requests <= 10, `${requests} requests`);
  });

  await t.test("skopeo reads it back with the same digest", async () => {
    const { image } = await outputs(sandbox);
    const { stdout } = await sandbox.run("skopeo", ["inspect", "--tls-verify=false", image.reference]);
    const inspected = JSON.parse(stdout) as { Digest: string; Layers: string[] };
    assert.equal(inspected.Digest, image.digest);
    assert.equal(inspected.Layers.length, 6);
  });

  await t.test("Docker 23 or newer pulls and runs it", () => pullAndRun("newer", registry, sandbox));
});

test("gzip: Docker 20.10 pulls and runs it, umoci unpacks it", async (t) => {
  await using sandbox = await warmSandbox();
  await using registry = await Registry.start();
  configure(sandbox, { compression: { kind: "gzip" }, registry: registryConfig(registry) });
  await up(sandbox);
  const { image, layers } = await outputs(sandbox);
  assert.ok(Object.values(layers).every(({ blobs }) => blobs.every(({ mediaType }) => mediaType.endsWith("tar+gzip"))));

  await t.test("Docker 20.10", () => pullAndRun("installed", registry, sandbox));
  await t.test("umoci", async () => {
    const layout = `${sandbox.at}/tmp/layout`;
    await sandbox.run("skopeo", ["--insecure-policy", "copy", "--src-tls-verify=false", image.reference, `oci:${layout}:image`]);
    await sandbox.run("umoci", ["unpack", "--image", `${layout}:image`, `${sandbox.at}/tmp/bundle`]);
    const passwd = readFileSync(sandbox.host(`${sandbox.at}/tmp/bundle/rootfs/etc/passwd`), "utf8");
    assert.match(passwd, /^\w+:x:1000:1000:/m);
    // A link to another path of the image: followed from here, it would be looked up in this machine's own /nix.
    const program = readlinkSync(sandbox.host(`${sandbox.at}/tmp/bundle/rootfs${layers["layer6-app"]?.storePath}/bin/comfyui`));
    assert.ok(existsSync(sandbox.host(`${sandbox.at}/tmp/bundle/rootfs${program}`)), program);
  });
});

test("PUBLISH_TAG_TAKEN: an equal tag with another digest is an error that names both, and nothing is sent", async () => {
  await using sandbox = await warmSandbox();
  await using registry = await Registry.start();
  configure(sandbox, { registry: registryConfig(registry) });
  await up(sandbox);
  const { image } = await outputs(sandbox);
  edit(sandbox);
  await up(sandbox);
  const other = (await outputs(sandbox)).image;
  // The new content under the tag of the old: what a tag that somebody else pushed to looks like.
  const request = (await recordedCommand(sandbox, "comfyui-publish-image")).stdin.replaceAll(other.tag, image.tag);
  const mark = registry.requests().length;
  const { code, stderr } = await runScript(sandbox, "publish-image", request, { allowFailure: true });
  assert.equal(code, 1);
  assert.match(stderr, /^error\[PUBLISH_TAG_TAKEN\]: the registry has another image under docker:\/\//m);
  assert.ok(stderr.includes(`found:    ${image.digest}`) && stderr.includes(`expected: ${other.digest}`), stderr);
  assert.equal((await registry.received(mark)).total, 0);
});

test("a registry that wants a login: refused without, published with the host's own, which is in no state and no log", async (t) => {
  const user = { name: "tester", password: "not-a-secret-but-a-word", bcrypt: "$2b$05$abcdefghijklmnopqrstuussz2w/ECLarpHFZtgP7Nymy7pkAgUd2" };
  await using sandbox = await warmSandbox();
  await using registry = await Registry.start(user);
  const file = `${sandbox.at}/home/auth.json`;
  const env = { REGISTRY_AUTH_FILE: file };
  configure(sandbox, { registry: registryConfig(registry) });

  await t.test("PUBLISH_REGISTRY: without a login, with the remedy", async () => {
    const update = await up(sandbox, { env, allowFailure: true });
    assert.equal(update.result, "failed");
    assert.match(update.process.stdout, /error\[PUBLISH_REGISTRY\]: .*(unauthorized|authentication required)/);
    assert.match(update.process.stdout, /fix: .*skopeo login/);
    assert.equal((await registry.received()).total, 0);
  });

  await sandbox.run("skopeo", ["login", "--tls-verify=false", "--username", user.name, "--password-stdin", registry.address], { env, input: user.password });
  const update = await up(sandbox, { env, args: ["--logtostderr", "-v=9"] });
  const { image } = await outputs(sandbox);
  assert.deepEqual([image.status, image.sentBytes], ["published", image.size]);
  assert.equal((await registry.received()).total, image.size);

  const basic = Buffer.from(`${user.name}:${user.password}`).toString("base64");
  assert.ok(readFileSync(sandbox.host(file), "utf8").includes(basic), "the login is there to be found");
  const { stdout: found } = await sandbox.bash(`grep -rlE '${basic}|${user.password}' .local/backend .local/host .local/images stacks "$TMPDIR" || [ $? -eq 1 ]`);
  assert.equal(found, "");
  for (const text of [update.process.stdout, update.process.stderr]) assert.ok(!text.includes(basic) && !text.includes(user.password));
});

test("an OCI directory gets only the blobs it lacks", async () => {
  await using sandbox = await warmSandbox();
  const before = (await outputs(sandbox)).image;
  edit(sandbox);
  await up(sandbox);
  const { image, layers } = await outputs(sandbox);
  const blob = blobsSize(layers["layer6-app"] as LayerOutput);
  assert.ok(image.sentBytes > blob && image.sentBytes < blob + 20_000, `${image.sentBytes} bytes for a blob of ${blob}`);
  const index = JSON.parse(readFileSync(sandbox.host(".local/images/index.json"), "utf8")) as { manifests: { digest: string }[] };
  assert.deepEqual(index.manifests.map(({ digest }) => digest).sort(), [before.digest, image.digest].sort(), "the image before stays");
});

test("a flavor with a blobLimit: layers of several blobs, published, pulled and loaded", async (t) => {
  await using sandbox = await warmSandbox();
  await using registry = await Registry.start();
  const limit = 8_000_000;
  const file = sandbox.host("layers/layers.json");
  const graph = JSON.parse(readFileSync(file, "utf8")) as { flavors: { sample: object } };
  graph.flavors.sample = { ...graph.flavors.sample, blobLimit: limit };
  writeFileSync(file, JSON.stringify(graph, null, 2));
  configure(sandbox, { registry: registryConfig(registry) });
  const before = await outputs(sandbox);
  await up(sandbox);
  const { image, layers } = await outputs(sandbox);
  const all = imageLayers(parseLayerGraph(readFileSync(file, "utf8"))).flatMap(({ attr }) => layers[attr]?.blobs.map((each) => ({ ...each, attr })) ?? []);

  await t.test("the same contents, more blobs, none longer than the limit but those of one file", () => {
    for (const [attr, { storePath, blobs }] of Object.entries(layers)) {
      assert.equal(storePath, before.layers[attr]?.storePath, attr);
      const whole = before.layers[attr]?.blobs ?? [];
      if (whole.every(({ tarSize }) => tarSize <= limit)) assert.deepEqual(blobs, whole, attr);
      else assert.ok(blobs.length > 1 && blobs.filter(({ tarSize }) => tarSize > limit).length <= 3, `${attr}: ${JSON.stringify(blobs)}`);
    }
    t.diagnostic(`${all.length} blobs: ${Object.entries(layers).map(([attr, { blobs }]) => `${attr} ${blobs.length}`).join(", ")}`);
  });

  await t.test("the registry has them with their digests, in the layers' order; the history names layer and part", async () => {
    const raw = async (...more: string[]) => JSON.parse((await sandbox.run("skopeo", ["inspect", "--raw", "--tls-verify=false", ...more, image.reference])).stdout) as unknown;
    const manifest = (await raw()) as { layers: { digest: string; size: number }[] };
    assert.deepEqual(manifest.layers.map(({ digest, size }) => ({ digest, size })), all.map(({ digest, size }) => ({ digest, size })));
    const received = await registry.received();
    assert.deepEqual(received.manifests.map(({ digest }) => digest), [image.digest]);
    for (const { digest } of all) assert.ok(received.blobs.some((blob) => blob.digest === digest), digest);
    const config = (await raw("--config")) as { history: { created_by: string }[]; rootfs: { diff_ids: string[] } };
    assert.deepEqual(config.rootfs.diff_ids, all.map(({ diffId }) => diffId));
    const parts = config.history.map(({ created_by }) => created_by);
    const count = layers["layer3-pytorch"]?.blobs.length;
    assert.ok(parts.includes(`layer3-pytorch 1/${count}`) && parts.includes(`layer3-pytorch ${count}/${count}`) && parts.includes("layer6-app"), parts.join(", "));
  });

  await t.test("Docker 23 or newer pulls and runs it", () => pullAndRun("newer", registry, sandbox));
  await t.test("Docker 20.10 loads and runs it", async () => {
    await using docker = await Docker.start("installed");
    const { stdout } = await sandbox.run("nix", ["run", "path:./layers#load"], { env: docker.env });
    await runImage(docker, stdout.trim().split("\n").at(-1) as string);
  });

  await t.test("an edit of layer 6 sends layer 6's blob", async () => {
    edit(sandbox);
    await up(sandbox);
    const after = await outputs(sandbox);
    const size = blobsSize(after.layers["layer6-app"] as LayerOutput);
    assert.ok(after.image.sentBytes > size && after.image.sentBytes < size + 40_000, `${after.image.sentBytes} bytes for a blob of ${size}`);
  });
});

/** Pulls what is published and runs it: read-only, without a network. */
async function pullAndRun(kind: DockerKind, registry: Registry, sandbox: Sandbox): Promise<void> {
  await using docker = await Docker.start(kind);
  const reference = `${registry.address}/comfyui:${await tagOf(sandbox)}`;
  await docker.run(["pull", "--quiet", reference]);
  await runImage(docker, reference);
}

async function runImage(docker: Docker, reference: string): Promise<void> {
  const { stdout } = await docker.run(["run", "--rm", "--read-only", "--network=none", reference, "python", "-c", "import numpy, numexpr, PIL; print('all there')"]);
  assert.equal(stdout.trim(), "all there");
}
