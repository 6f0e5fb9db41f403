/** What registry.sh does beside sending an image: the limits of a registry, and the tag of the image that is live. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { protocol } from "../../infra/request.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { ociLayout } from "../support/oci-layout.ts";
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

const layout = (name: string, layers: readonly string[]) => ociLayout(folder, name, layers);

/** Runs lines that use the functions, for this tag and request. */
function functions(tag: string, request: object, lines: string): Promise<Result> {
  const script = `set -euo pipefail
cd ${CHECKOUT}/infra
. hosts/common.sh
. hosts/registry.sh
WORK=${folder}
read_request .registry.kind <<<"$1"
open_registry ${tag}
${lines}`;
  const whole = { protocol, registry: { kind: "registry", repository: `${registry.address}/comfyui`, tls: false, ...request } };
  return run("bash", ["-c", script, "bash", JSON.stringify(whole)], { allowFailure: true });
}

async function digestOf(tag: string): Promise<string> {
  const { stdout } = await run("skopeo", ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", `docker://${registry.address}/comfyui:${tag}`]);
  return stdout.trim();
}

test("the live tag goes from image to image, and moves nothing where it is right already", async () => {
  for (const name of ["first", "second"]) {
    const image = layout(name, [name]);
    const sent = await functions(name, { liveTag: "live-team" }, `send_image ${image.reference} ${image.manifest} ${folder}/log\nmove_live_tag ${image.digest}\necho "now $REFERENCE" >&2`);
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

test("PUBLISH_LIMITS: of registries that say what they take, by their names; the request's own come first", async () => {
  const manifest = join(folder, "huge.json");
  const check = async (repository: string, size: number, limits?: object) => {
    writeFileSync(manifest, JSON.stringify({ layers: [{ size }] }));
    return (await functions("huge", { repository, limits }, `check_limits ${manifest}`)).stderr.match(/where (\d+) are taken/)?.[1];
  };
  const known = { "ghcr.io/a/b": 10_000_000_000, "1.dkr.ecr.eu-central-1.amazonaws.com/a": 54_525_952_000, "public.ecr.aws/a/b": 10_485_760_000, "team.azurecr.io/a": 214_748_364_800 };
  for (const [repository, limit] of Object.entries(known)) {
    assert.deepEqual([await check(repository, limit), await check(repository, limit + 1)], [undefined, String(limit)], repository);
  }
  assert.equal(await check("ghcr.io.example/a", 1e15), undefined);
  assert.equal(await check("ghcr.io/a/b", 20, { layerBytes: 10 }), "10");
});
