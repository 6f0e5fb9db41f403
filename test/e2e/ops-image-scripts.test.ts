/** The host's scripts for published images, against a real registry: what they refuse, and what they fetch. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { compareImages, type Differences } from "../../infra/ops/images/compare.ts";
import { imagesAnswer, type ReadImage, readContents } from "../../infra/ops/images/contents.ts";
import { protocol } from "../../infra/request.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { fixTags } from "../support/faulty-proxy.ts";
import { assertFault } from "../support/host-scripts.ts";
import { type Layout, ociLayout } from "../support/oci-layout.ts";
import { freePort } from "../support/ports.ts";
import { type Result, run } from "../support/process.ts";
import { Registry } from "../support/registry.ts";

let registry: Registry;
let folder: string;
before(async () => {
  registry = await Registry.start();
  folder = mkdtempSync(join(tmpdir(), "comfyui-images-"));
});
after(async () => {
  await registry.stop();
  rmSync(folder, { recursive: true });
});

const at = (address: string, name = "prod") => ({ kind: "registry", repository: `${address}/${name}`, tls: false });

function script(name: string, request: object): Promise<Result> {
  const input = JSON.stringify({ protocol, registry: at(registry.address), ...request });
  return run("bash", [`${CHECKOUT}/infra/hosts/ops/${name}.sh`], { input, allowFailure: true, env: { ...(process.env as Record<string, string>), COMFYUI_STATE: join(folder, "state") } });
}

async function answered(name: string, request: object): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await script(name, request);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const source = ({ reference, digest }: Layout) => ({ reference, digest, tls: true });
const copy = (image: Layout, tag: string) => answered("copy-image", { source: source(image), tag });

test("a tag is read, moved and read back; its history is read from the newest on, as far as it stands", async () => {
  const [a, b] = [ociLayout(folder, "aaaaaaaaaaaa", ["a"]), ociLayout(folder, "bbbbbbbbbbbb", ["b"])];
  assert.deepEqual(await answered("read-tags", { tags: ["aaaaaaaaaaaa"], history: "stable" }), { repository: `docker://${registry.address}/prod`, tags: [], digests: { stable: null, aaaaaaaaaaaa: null } });
  for (const image of [a, b]) await copy(image, image.reference.slice(-12));
  const moves = ["stable-0001-aaaaaaaaaaaa", "stable-0002-after-0001-bbbbbbbbbbbb"];
  const set = [{ tag: moves[0], from: "aaaaaaaaaaaa" }, { tag: moves[1], from: "bbbbbbbbbbbb" }, { tag: "stable", from: moves[1] }];
  assert.deepEqual(await answered("set-tags", { moves: "stable", stands: null, set }), { digests: { stable: b.digest, [moves[0] as string]: a.digest, [moves[1] as string]: b.digest } });
  assert.deepEqual(await answered("read-tags", { tags: [], history: "stable" }), {
    repository: `docker://${registry.address}/prod`,
    tags: ["aaaaaaaaaaaa", "bbbbbbbbbbbb", "stable", ...moves],
    digests: { stable: b.digest, [moves[1] as string]: b.digest },
  });
});

test("PROMOTE_MOVED: somebody else has moved the tag since it was read", async () => {
  const result = await script("set-tags", { moves: "stable", stands: null, set: [{ tag: "stable", from: "aaaaaaaaaaaa" }] });
  assertFault(result, "PROMOTE_MOVED", ["found:    sha256:", "expected: no image"]);
});

test("PROMOTE_TAG_FIXED: a registry whose tags never change lets none move; a first one is set", async () => {
  await using fixed = await fixTags(registry.address);
  const set = (from: string) => script("set-tags", { registry: at(fixed.address), moves: "fixed", stands: null, set: [{ tag: "once", from: "aaaaaaaaaaaa" }, { tag: "once", from }] });
  assertFault(await set("bbbbbbbbbbbb"), "PROMOTE_TAG_FIXED", ["the tag once may not move", "fix:      name a tag that may: --tag"]);
});

test("PUBLISH_TAG_TAKEN: another image under the target's tag, or the source's, is left as it is", async () => {
  const c = ociLayout(folder, "cccccccccccc", ["c"]);
  assertFault(await script("copy-image", { source: source(c), tag: "aaaaaaaaaaaa" }), "PUBLISH_TAG_TAKEN", [`expected: ${c.digest}`]);
  assertFault(await script("copy-image", { source: { ...source(c), digest: `sha256:${"0".repeat(64)}` }, tag: "cccccccccccc" }), "PUBLISH_TAG_TAKEN", [`found:    ${c.digest}`]);
});

test("IMAGE_MISSING: an image that the source's registry no longer has", async () => {
  const gone = { reference: `docker://${registry.address}/team:dddddddddddd`, digest: `sha256:${"0".repeat(64)}`, tls: false };
  assertFault(await script("copy-image", { source: gone, tag: "dddddddddddd" }), "IMAGE_MISSING", [gone.reference, "pulumi up"]);
});

test("PUBLISH_REGISTRY: a target that does not answer", async () => {
  const absent = at(`127.0.0.1:${await freePort()}`);
  const a = ociLayout(folder, "aaaaaaaaaaaa", ["a"]);
  assertFault(await script("copy-image", { source: source(a), registry: absent, tag: "aaaaaaaaaaaa" }), "PUBLISH_REGISTRY", [/connection refused/]);
  assertFault(await script("read-tags", { registry: absent, tags: [], history: "stable" }), "PUBLISH_REGISTRY", [/connection refused/]);
});

/** A store path's name, by a letter for its hash. */
const store = (letter: string, name: string) => `${letter.repeat(32)}-${name}`;

/** A tar of these files, compressed as the name says. */
async function archive(files: Readonly<Record<string, string>>, compression: "none" | "gzip" | "zstd"): Promise<Buffer> {
  const root = mkdtempSync(join(folder, "tar-"));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  const flags = { none: [], gzip: ["--gzip"], zstd: ["--zstd"] }[compression];
  // Two empty blocks more, as after a tar of whole records.
  const { stdout } = await run("bash", ["-c", `tar -C "$0" "$@" -cf - $(cd "$0" && ls) | base64 -w 0`, root, ...flags]);
  return Buffer.from(stdout, "base64");
}

const python = (path: string, name: string, version: string) => ({ [`nix/store/${path}/lib/python3.14/site-packages/${name}-${version}.dist-info/METADATA`]: `Name: ${name}\nVersion: ${version}\n\nName: of no header\n` });

async function diff(images: readonly [object, object]): Promise<Differences> {
  return compareImages(...(readContents(imagesAnswer.parse(await answered("read-images", { images }))) as [ReadImage, ReadImage]));
}

test("diff: of two images in a registry only the blobs that differ are fetched; packages by their metadata and by their store paths", async () => {
  const base = await archive({ [`nix/store/${store("a", "bash-5.3-4")}/bin/bash`]: "bash", "etc/passwd": "root" }, "zstd");
  const site = (path: string, version: string) => archive({ ...python(path, "Torch_Vision", version), ...python(path, "numpy", "2.5.5"), [`nix/store/${store("d", `zlib-1.${version}`)}/lib/z`]: "z" }, "gzip");
  const before = ociLayout(folder, "before", [base, await site(store("b", "site"), "1.0"), await archive({ [`nix/store/${store("f", "app")}/bin/app`]: "one" }, "none")], ["layer0-base", "layer3-pytorch", "layer6-app"]);
  const afterwards = ociLayout(folder, "after", [base, await site(store("c", "site"), "1.1"), await archive({ [`nix/store/${store("g", "app")}/bin/app`]: "two, and more" }, "none"), await archive({ [`nix/store/${store("h", "nodes")}/x`]: "x" }, "zstd")], ["layer0-base", "layer3-pytorch", "layer6-app", "layer7-nodes"]);
  for (const [name, image] of [["before", before], ["after", afterwards]] as const) await copy(image, name);

  const mark = registry.requests().length;
  const found = await diff([{ tag: "before" }, { reference: `docker://${registry.address}/prod:after`, tls: false }]);
  const fetched = registry.requests().slice(mark).flatMap(({ method, path }) => (method === "GET" ? (/blobs\/(sha256:\w+)$/.exec(path)?.[1] ?? []) : []));
  assert.ok(!fetched.includes(before.blobs[0] as string), "the blob that both have");
  for (const blob of [...before.blobs.slice(1), ...afterwards.blobs.slice(1)]) assert.ok(fetched.includes(blob), blob);

  assert.equal(found.same, false);
  assert.deepEqual(found.layers.map(({ layer, same }) => [layer, same]), [["layer0-base", true], ["layer3-pytorch", false], ["layer6-app", false], ["layer7-nodes", false]]);
  assert.deepEqual(found.packages, [
    { kind: "python", name: "torch-vision", layer: "layer3-pytorch", versions: ["1.0", "1.1"] },
    { kind: "package", name: "zlib", layer: "layer3-pytorch", versions: ["1.1.0", "1.1.1"] },
  ]);
  assert.deepEqual(found.rebuilt.map(({ name }) => name), ["site", "app"]);

  // The layouts themselves, without a registry.
  const local = await diff([{ reference: before.reference, tls: true }, { reference: afterwards.reference, tls: true }]);
  assert.deepEqual({ ...local, images: found.images }, found);
  assert.deepEqual((await diff([{ tag: "before" }, { tag: "before" }])).same, true);
});

test("IMAGE_KIND: what is no single image, or has a blob that is no archive", async () => {
  const [broken, other] = [ociLayout(folder, "broken", ["no archive, though it is longer than a header's 512 bytes".repeat(20)]), ociLayout(folder, "other", [await archive({ x: "x" }, "none")])];
  const images = [broken, other].map(({ reference }) => ({ reference, tls: true }));
  assertFault(await script("read-images", { images }), "IMAGE_KIND", [`blob ${broken.blobs[0]}`, "a tar, plain or compressed"]);
  const index = ociLayout(folder, "index", ["x"]);
  writeFileSync(index.manifest, JSON.stringify({ schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [] }));
  assertFault(await script("read-images", { images: [{ reference: index.reference, tls: true }] }), "IMAGE_KIND", ["is no single image", "application/vnd.oci.image.index.v1+json"]);
});

test("IMAGE_SOURCES: an image that this host has not put together", async () => {
  assertFault(await script("image-sources", { digest: `sha256:${"0".repeat(64)}` }), "IMAGE_SOURCES", ["pulumi up"]);
});
