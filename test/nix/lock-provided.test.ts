/** Locking over a package set that brings Python packages: Nix says which, in which versions; the locks have the rest. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { formatRequirements } from "../../infra/lock/requirements-file.ts";
import { PackageIndex } from "../support/package-index.ts";
import type { Result } from "../support/process.ts";
import { EMPTY_STORE, Sandbox } from "../support/sandbox.ts";

let sandbox: Sandbox;
let index: PackageIndex;
/** The version that the package set debian has. */
let packaging: string;

before(async () => {
  [sandbox, index] = [await Sandbox.create({ store: EMPTY_STORE }), await PackageIndex.create()];
  const { files } = JSON.parse(readFileSync(sandbox.host("layers/package-sets/debian/build.lock.json"), "utf8")) as { files: { name: string; version: string }[] };
  packaging = files.find(({ name }) => name === "packaging")?.version ?? "";
  index.wheel({ name: "fitting", version: "1.0", requires: [`packaging>=${packaging}`] });
  index.wheel({ name: "too-new", version: "1.0", requires: [`packaging>${packaging}`] });
});
after(async () => {
  await sandbox.stop();
  await index[Symbol.asyncDispose]();
});

async function lock(packages: readonly string[], required: readonly string[]): Promise<Result> {
  const choose = (file: string, text: string) => writeFileSync(sandbox.host(`layers/flavors/sample/${file}`), text);
  choose("layer1-python.json", JSON.stringify({ packages }));
  choose("requirements.json", formatRequirements({ python: "3.14", systems: { "x86_64-linux": "manylinux_2_28" }, layers: { "layer4-deps": [...required] } }));
  return sandbox.run("node", ["infra/lock.ts"], { env: { UV_DEFAULT_INDEX: index.url }, allowFailure: true });
}

const locked = (layer: string) => (JSON.parse(readFileSync(sandbox.host(`layers/locks/sample/${layer}.lock.json`), "utf8")) as { files: { name: string }[] }).files.map(({ name }) => name);

test("what the package set brings is in no lock, though the index has never heard of it", async () => {
  const result = await lock(["packaging"], ["fitting"]);
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(["layer1-python", "layer3-pytorch", "layer4-deps"].map(locked), [[], [], ["fitting"]]);
  assert.match(result.stderr, /^asking Nix which Python packages the package set brings$/m);
});

test("LOCK_UNSOLVABLE: a package that wants another version than the package set has", async () => {
  const result = await lock(["packaging"], ["too-new"]);
  assert.equal(result.code, 1);
  assert.match(result.stderr, new RegExp(`^error\\[LOCK_UNSOLVABLE\\].*\n(.*\n)*.*packaging>${packaging}`, "m"));
});

test("where Nix cannot evaluate the package set, a line says so, and the index stands in for it", async () => {
  index.wheel({ name: "unheard-of", version: "1.0", requires: ["brought-along"] });
  index.wheel({ name: "brought-along", version: "1.0" });
  index.wheel({ name: "upper", version: "1.0", requires: ["brought-along"] });
  const result = await lock(["unheard-of"], ["upper"]);
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stderr, /^Nix does not say which versions sample's package set has: error: attribute 'unheard-of' missing/m);
  assert.deepEqual(locked("layer4-deps"), ["upper"]);
});

test("LOCK_REQUIREMENTS: a list of packages that is none", async () => {
  const result = await lock([], ["fitting"]);
  assert.match(result.stderr, /LOCK_UNKNOWN_NAME|LOCK_UNSOLVABLE/, "without the package set nobody has packaging");
  writeFileSync(sandbox.host("layers/flavors/sample/layer1-python.json"), '{"packages": "packaging"}');
  const broken = await sandbox.run("node", ["infra/lock.ts", "--check"], { env: { UV_DEFAULT_INDEX: index.url }, allowFailure: true });
  assert.match(broken.stderr, /^error\[LOCK_REQUIREMENTS\]: layers\/flavors\/sample\/layer1-python\.json: the layer's packages cannot be read$/m);
});
