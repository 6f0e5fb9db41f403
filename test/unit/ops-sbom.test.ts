/** A bill of materials from an image's contents, its sources and the locks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import type { ReadImage } from "../../infra/ops/images/contents.ts";
import { imageOf, readContents } from "../../infra/ops/images/contents.ts";
import { parseMetadata } from "../../infra/ops/images/metadata.ts";
import { parseStoreName } from "../../infra/ops/images/store-name.ts";
import { cycloneDx } from "../../infra/ops/sbom/cyclonedx.ts";
import { takeInventory } from "../../infra/ops/sbom/model.ts";
import { type ImageSources, type Locks, readLocks } from "../../infra/ops/sbom/sources.ts";
import { CHECKOUT } from "../support/checkout.ts";

const store = (letter: string, name: string) => `${letter.repeat(32)}-${name}`;
const sha = (letter: string) => letter.repeat(64);
const [bash, site, module, program, nodes, app, plain] = [store("a", "bash-5.3-4"), store("b", "layer4-deps-site"), store("c", "python3.14-yaml-6.0"), store("d", "comfyui-program"), store("e", "comfyui-custom-nodes"), store("f", "layer6-app"), store("g", "ffmpeg-8.0")];

const metadata = (storePath: string, name: string, version: string, more = "") => ({ path: `/nix/store/${storePath}/lib/python3.14/site-packages/${name}-${version}.dist-info/METADATA`, text: `Metadata-Version: 2.4\nName: ${name}\nVersion: ${version}\n${more}` });

const image = readContents({
  images: [
    {
      reference: "oci:/images:aaaaaaaaaaaa",
      digest: `sha256:${sha("0")}`,
      manifest: { config: { digest: `sha256:${sha("1")}`, size: 10 }, layers: [2, 3, 4].map((each) => ({ digest: `sha256:${sha(String(each))}`, size: 100 })) },
      config: { history: [{ created_by: "layer0-base" }, { created_by: "layer6-app 1/2" }, { created_by: "layer6-app 2/2" }] },
    },
  ],
  blobs: {
    [`sha256:${sha("2")}`]: { paths: { [bash]: 1, [plain]: 1 }, files: 0, metadata: [] },
    [`sha256:${sha("3")}`]: { paths: { [site]: 5, [module]: 1 }, files: 0, metadata: [metadata(site, "Sam_2", "1.0", "License: Apache 2.0\nRequires-Dist: PyYAML (>=5.1)\nRequires-Dist: tests; extra == 'dev'\n"), metadata(module, "PyYAML", "6.0", "License-Expression: MIT\n")] },
    [`sha256:${sha("4")}`]: { paths: { [site]: 7, [program]: 1, [nodes]: 1, [app]: 1 }, files: 0, metadata: [metadata(site, "wheel-only", "2.0", "Classifier: License :: OSI Approved :: BSD License\nClassifier: License :: OSI Approved :: MIT License\n")] },
  },
})[0] as ReadImage;

const base64 = (hex: string) => `sha256-${Buffer.from(hex, "hex").toString("base64")}`;
const rev = "0123456789012345678901234567890123456789";
const common = { version: "1.0", hash: "" };
const locks: Locks = {
  suite: "forky",
  debian: new Map([[sha("a"), { name: "bash", version: "1:5.3-4", file: "bash_5.3-4_amd64.deb", hash: base64(sha("a")) }]]),
  files: new Map([
    [sha("b"), { ...common, git: "https://github.com/example/sam2.git", rev, name: "sam-2", file: "sam2-0123", layer: "layer4-deps" }],
    [sha("d"), { ...common, given: true as const, name: "comfyui", file: "comfyui.tar.xz", layer: "layer6-app" }],
    [sha("e"), { ...common, git: "https://git.example/nodes", rev, name: "nodes", file: "nodes-0123", layer: "layer7-nodes" }],
  ]),
};
const files: ImageSources["files"] = {
  [store("h", "bash_5.3-4_amd64.deb")]: { hash: sha("a"), tree: false },
  [store("i", "sam2-0123")]: { hash: sha("b"), tree: true },
  [store("j", "comfyui.tar.xz")]: { hash: sha("d"), tree: false },
  [store("k", "nodes-0123")]: { hash: sha("e"), tree: true },
  [store("l", "wheel_only-2.0-py3-none-any.whl")]: { hash: sha("f"), tree: false },
  [store("m", "libold_1.2_all.deb")]: { hash: sha("9"), tree: false },
};
const sources: ImageSources = {
  references: { [app]: [program, nodes, site], [site]: [bash, module], [program]: [bash] },
  sources: { [bash]: [store("h", "bash_5.3-4_amd64.deb"), store("m", "libold_1.2_all.deb")], [program]: [store("j", "comfyui.tar.xz")], [nodes]: [store("k", "nodes-0123")] },
  files,
};

interface Bom {
  readonly metadata: { readonly timestamp?: string; readonly component: { readonly version: string } };
  readonly components: readonly { name: string; type: string; purl?: string; hashes?: { content: string }[]; licenses?: object[]; properties: { name: string; value: string }[] }[];
  readonly dependencies: readonly { ref: string; dependsOn?: string[] }[];
}

const make = (of: ReadImage = image, timestamp?: Date) => cycloneDx({ image: of, inventory: takeInventory(of, sources, locks), suite: "forky", tool: "1.0", timestamp });
const bom = JSON.parse(make()) as Bom;
const named = (name: string) => bom.components.find((each) => each.name === name);
const needs = (ref: string) => bom.dependencies.find((each) => each.ref === ref)?.dependsOn;

test("the document is valid by CycloneDX' own schema, of its strict kind", async () => {
  const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
  assert.equal(await validator.validate(make()), null);
  assert.equal(await validator.validate(make(image, new Date(0))), null);
  assert.notEqual(await validator.validate(make().replace('"bomFormat"', '"bomForm"')), null, "the validator finds faults");
});

test("package URLs: of the lock where it knows the file, else of the file's own name", () => {
  assert.deepEqual(Object.fromEntries(bom.components.map(({ name, purl }) => [name, purl])), {
    bash: "pkg:deb/debian/bash@1:5.3-4?arch=amd64&distro=forky",
    libold: "pkg:deb/debian/libold@1.2?arch=all&distro=forky",
    pyyaml: "pkg:pypi/pyyaml@6.0",
    "sam-2": `pkg:pypi/sam-2@1.0?vcs_url=${encodeURIComponent(`git+https://github.com/example/sam2.git@${rev}`)}`,
    "wheel-only": "pkg:pypi/wheel-only@2.0",
    comfyui: "pkg:generic/comfyui@1.0",
    nodes: `pkg:generic/nodes@1.0?vcs_url=${encodeURIComponent(`git+https://git.example/nodes@${rev}`)}`,
    ffmpeg: "pkg:nix/ffmpeg@8.0",
    "layer4-deps-site": undefined,
    "comfyui-program": undefined,
    "comfyui-custom-nodes": undefined,
    "layer6-app": undefined,
  });
});

test("hashes of files, none of unpacked trees; licences; commits; layers", () => {
  assert.deepEqual(named("bash")?.hashes?.map(({ content }) => content), [sha("a")]);
  assert.deepEqual(named("wheel-only")?.hashes?.map(({ content }) => content), [sha("f")]);
  assert.equal(named("sam-2")?.hashes, undefined);
  assert.deepEqual(named("sam-2")?.properties.find(({ name }) => name === "comfyui:commit")?.value, rev);
  assert.deepEqual(named("pyyaml")?.licenses, [{ license: { id: "MIT" } }]);
  assert.deepEqual(named("sam-2")?.licenses, [{ license: { name: "Apache 2.0" } }]);
  assert.deepEqual(named("wheel-only")?.licenses, [{ license: { name: "BSD License" } }, { license: { name: "MIT License" } }]);
  assert.deepEqual(named("bash")?.properties.find(({ name }) => name === "comfyui:layer")?.value, "layer0-base");
});

test("what needs what: by Python's metadata, by references of store paths, from the image down", () => {
  assert.deepEqual(needs("image"), [`store:${app}`]);
  assert.deepEqual(needs("pypi:sam-2@1.0"), ["pypi:pyyaml@6.0"]);
  assert.deepEqual(needs(`store:${site}`), ["deb:bash@1:5.3-4", "deb:libold@1.2", "pypi:pyyaml@6.0", "pypi:sam-2@1.0", "pypi:wheel-only@2.0"]);
  assert.deepEqual(needs(`store:${program}`), ["deb:bash@1:5.3-4", "deb:libold@1.2", "source:comfyui@1.0"]);
});

test("equal images give equal bytes, whatever they are called; a time only where one is asked for", () => {
  assert.equal(make({ ...image, reference: "docker://registry.example/other:stable" }), make());
  assert.equal(bom.metadata.timestamp, undefined);
  assert.equal((JSON.parse(make(image, new Date(1_000_000_000_000))) as Bom).metadata.timestamp, "2001-09-09T01:46:40.000Z");
});

test("a GitHub source has GitHub's package URL", () => {
  const github = { ...locks, files: new Map([[sha("e"), { ...common, git: "https://github.com/example/nodes.git", rev, name: "nodes", file: "nodes-0123", layer: "layer7-nodes" }]]) };
  const text = cycloneDx({ image, inventory: takeInventory(image, sources, github), suite: "forky", tool: "1.0", timestamp: undefined });
  assert.ok(text.includes(`"pkg:github/example/nodes@${rev}"`));
});

test("store names are split as Nix splits them", () => {
  const names = { "bash-5.3-4": ["bash", "5.3-4"], "layer4-deps-site": ["layer4-deps-site", undefined], "python3.14-pip-26.3": ["python3.14-pip", "26.3"], "gmp-2_6.3.0+dfsg-5": ["gmp", "2_6.3.0+dfsg-5"] };
  for (const [name, [pname, version]] of Object.entries(names)) assert.deepEqual(parseStoreName(store("a", name)), { name: pname, version });
});

test("METADATA: folded headers, names normalized, requirements without those of extras; none without a name", () => {
  const text = "Name: A.B\r\nVersion: 1\r\nLicense: The MIT License\r\n        with a second line\r\nClassifier: License :: OSI Approved :: MIT License\r\nProject-URL: Homepage, https://a.example\r\nRequires-Dist: c @ https://x.example/c.whl\r\nRequires-Dist: d[e]>=1; python_version > '3'\r\nRequires-Dist: f; extra == 'g'\r\n\r\nName: body\r\n";
  assert.deepEqual(parseMetadata(text), { name: "a-b", version: "1", summary: undefined, homepage: "https://a.example", licenses: ["MIT License"], requires: ["c", "d"] });
  assert.equal(parseMetadata("Version: 1\n"), undefined);
});

test("an image is a tag, or a whole reference; the stack's own registry is asked as it is configured", () => {
  const own = { repository: "127.0.0.1:5000/comfyui", tls: false };
  assert.deepEqual(imageOf("stable", own, true), { tag: "stable" });
  assert.deepEqual(imageOf("127.0.0.1:5000/other:1", own, true), { reference: "docker://127.0.0.1:5000/other:1", tls: false });
  assert.deepEqual(imageOf("docker://registry.example/a@sha256:00", own, true), { reference: "docker://registry.example/a@sha256:00", tls: true });
  assert.deepEqual(imageOf("registry.example/a:1", { repository: "127.0.0.1:5000/comfyui", tls: true }, false), { reference: "docker://registry.example/a:1", tls: false });
  assert.deepEqual(imageOf("oci:/images:a", {}, true), { reference: "oci:/images:a", tls: true });
});

for (const flavor of ["sample", "pypi", "cu130"]) {
  test(`the locks of ${flavor} are read, each file by its hash`, () => {
    const { files, debian } = readLocks(`${CHECKOUT}/layers`, flavor);
    assert.ok(files.size > 20 && debian.size > 40, `${files.size}, ${debian.size}`);
    for (const hash of [...files.keys(), ...debian.keys()]) assert.match(hash, /^[0-9a-f]{64}$/);
  });
}
