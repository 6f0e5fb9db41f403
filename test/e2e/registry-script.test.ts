/** What registry.sh does beside sending an image: the limits of a registry, and the tag of the image that is live. */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CHECKOUT } from "../support/checkout.ts";
import { type Result, run } from "../support/process.ts";
import { Registry } from "../support/registry.ts";

let registry: Registry;
let folder: string;
before(async () => {
  registry = await Registry.start();
  folder = mkdtempSync(join(tmpdir(), "comfyui-layouts-"));
});
after(async () => {
  await registry.stop();
  rmSync(folder, { recursive: true });
});

interface Layout {
  readonly path: string;
  readonly manifest: string;
  readonly digest: string;
}

/** An OCI layout with these layers, which are no archives: nothing looks into them. */
function layout(name: string, layers: readonly string[]): Layout {
  const path = join(folder, name);
  mkdirSync(join(path, "blobs/sha256"), { recursive: true });
  const add = (mediaType: string, text: string) => {
    const hex = hash("sha256", text, "hex");
    writeFileSync(join(path, "blobs/sha256", hex), text);
    return { mediaType, digest: `sha256:${hex}`, size: text.length };
  };
  const blobs = layers.map((text) => add("application/vnd.oci.image.layer.v1.tar", text));
  const config = add("application/vnd.oci.image.config.v1+json", JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: blobs.map(({ digest }) => digest) } }));
  const manifest = add("application/vnd.oci.image.manifest.v1+json", JSON.stringify({ schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config, layers: blobs }));
  writeFileSync(join(path, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  writeFileSync(join(path, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations: { "org.opencontainers.image.ref.name": name } }] }));
  return { path, manifest: join(path, "blobs/sha256", manifest.digest.slice(7)), digest: manifest.digest };
}

/** Runs lines that use the functions, for this tag and request. */
function functions(tag: string, request: object, lines: string): Promise<Result> {
  const script = `set -euo pipefail
cd ${CHECKOUT}/infra
. hosts/common.sh
. hosts/registry.sh
WORK=${folder}
REQUEST=$1
open_registry ${tag}
${lines}`;
  const whole = { registry: { kind: "registry", repository: `${registry.address}/comfyui`, tls: false, ...request } };
  return run("bash", ["-c", script, "bash", JSON.stringify(whole)], { allowFailure: true });
}

async function digestOf(tag: string): Promise<string> {
  const { stdout } = await run("skopeo", ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", `docker://${registry.address}/comfyui:${tag}`]);
  return stdout.trim();
}

test("the live tag goes from image to image, and moves nothing where it is right already", async () => {
  for (const name of ["first", "second"]) {
    const image = layout(name, [name]);
    const sent = await functions(name, { liveTag: "live-team" }, `send_image oci:${image.path}:${name} ${image.manifest} ${folder}/log\nmove_live_tag ${image.digest}\necho "now $REFERENCE" >&2`);
    assert.equal(sent.code, 0, sent.stderr);
    assert.match(sent.stderr, /image: live-team is this one now/);
    assert.match(sent.stderr, new RegExp(`now docker://${registry.address}/comfyui:${name}\n`), "the image itself goes by its own tag");
    assert.equal(await digestOf("live-team"), image.digest);
    const again = await functions(name, { liveTag: "live-team" }, `move_live_tag ${image.digest}`);
    assert.deepEqual([again.code, again.stderr], [0, ""]);
  }
  assert.notEqual(await digestOf("first"), await digestOf("live-team"));
});

test("a request without a live tag moves none", async () => {
  const { code, stderr } = await functions("absent", {}, "move_live_tag sha256:0");
  assert.deepEqual([code, stderr], [0, ""]);
});

test("PUBLISH_LIMITS: a layer that is too large, or too many, stop the publish before a byte is sent", async () => {
  const image = layout("large", ["a".repeat(2000), "b"]);
  const check = (limits: object) => functions("large", { limits }, `check_limits ${image.manifest}`);
  assert.equal((await check({ layerBytes: 2000, layers: 2 })).code, 0);
  const large = await check({ layerBytes: 1999, layers: 127 });
  assert.notEqual(large.code, 0);
  assert.match(large.stderr, /error\[PUBLISH_LIMITS\]: .*\n {2}found: {4}a layer of 2000 bytes, where 1999 are taken\n {2}fix: {6}.*blobLimit/);
  assert.match((await check({ layerBytes: 1, layers: 1 })).stderr, /a layer of 2000 bytes, where 1 are taken; 2 layers, where 1 are taken/);
  assert.equal((await functions("large", {}, `check_limits ${image.manifest}`)).code, 0, "a registry whose limits nobody knows");
});
