import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { addRequirement } from "../../infra/lock/add-requirement.ts";
import { parseArguments } from "../../infra/lock/arguments.ts";
import { assignLayers, lockedLayers } from "../../infra/lock/assignment.ts";
import { checkLocks } from "../../infra/lock/check.ts";
import { changedLocks, lockChanges, rebuiltLayers } from "../../infra/lock/changes.ts";
import { lockPath, readFlavorFiles } from "../../infra/lock/flavor-files.ts";
import { indexInPipConfig } from "../../infra/lock/index-url.ts";
import { formatLockFile, type LockedFile, type LockFile } from "../../infra/lock/lock-file.ts";
import { progressText } from "../../infra/lock/progress.ts";
import { packageVersions } from "../../infra/lock/provided.ts";
import type { RequirementsText } from "../../infra/lock/requirements-file.ts";
import { parseAnswer, type Question, uvArguments, uvFiles } from "../../infra/lock/uv.ts";
import { readLayerGraph } from "../../infra/read-plan.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { assertFault, type FaultRow } from "./faults.ts";

const graph = readLayerGraph(`${CHECKOUT}/layers`);
const place = (needs: Readonly<Record<string, readonly string[]>>) => Object.fromEntries(assignLayers(graph, new Map(Object.entries(needs).map(([layer, names]) => [layer, new Set(names)]))));

test("the layers with a lock are those that read it", () => assert.deepEqual(lockedLayers(graph).slice(0, 4), ["layer1-python", "layer3-pytorch", "layer4-deps", "layer5-perf"]));

for (const flavor of Object.keys(graph.flavors)) {
  test(`the committed locks of ${flavor} fit its requirements`, () => {
    const files = readFlavorFiles(graph, `${CHECKOUT}/layers`, flavor);
    assert.deepEqual(checkLocks(files, lockedLayers(files.graph), graph.flavors[flavor]?.packageSet === "nixpkgs"), []);
    for (const [layer, lock] of files.locks) assert.equal(readFileSync(`${CHECKOUT}/layers/${lockPath(flavor, layer)}`, "utf8"), formatLockFile(lock));
  });
}

test("a distribution goes to the highest layer that is, or is below, every layer in need of it", () => {
  assert.deepEqual(place({ "layer4-deps": ["a"] }), { a: "layer4-deps" });
  assert.deepEqual(place({ "layer4-deps": ["a"], "layer3-pytorch": ["a"] }), { a: "layer3-pytorch" });
  assert.deepEqual(place({ "layer5-perf": ["a", "b"], "layer4-deps": ["a"], "layer1-python": ["b"] }), { a: "layer3-pytorch", b: "layer1-python" });
});

test("without a layer with a lock below both there is no place", () => {
  const apart = { ...graph, layers: graph.layers.map((layer) => (layer.attr === "layer5-perf" ? { ...layer, on: ["layer0-base"] } : layer)) };
  assert.deepEqual([...assignLayers(apart, new Map([["layer4-deps", new Set(["a"])], ["layer5-perf", new Set(["a"])]]))], []);
});

const entry = (name: string, version: string, more: object = {}): LockedFile => ({ index: "pypi", name, version, file: `${name}-${version}-py3-none-any.whl`, hash: `sha256-${"A".repeat(43)}=`, ...more });
const locks = (files: Readonly<Record<string, readonly LockedFile[]>>) => new Map(Object.entries(files).map(([layer, each]): [string, LockFile] => [layer, { files: [...each] }]));

test("changes: versions, comings and goings, another layer, another file; a size that is stated now is none", () => {
  const before = locks({ one: [entry("a", "1"), entry("b", "1"), entry("c", "1"), entry("d", "1"), entry("f", "1")], two: [] });
  const after = locks({ one: [entry("a", "2"), entry("d", "1", { size: 5 }), entry("e", "1"), entry("f", "1", { file: "f-1-2-py3-none-any.whl" })], two: [entry("c", "1")] });
  assert.deepEqual(lockChanges(before, after), [
    { name: "a", from: "1", to: "2", layer: "one" },
    { name: "b", from: "1", to: "", layer: "one" },
    { name: "c", from: "1 in one", to: "1 in two", layer: "two" },
    { name: "e", from: "", to: "1", layer: "one" },
    { name: "f", from: "1 as f-1-py3-none-any.whl", to: "1 as f-1-2-py3-none-any.whl", layer: "one" },
  ]);
  assert.deepEqual(changedLocks(before, after), ["one", "two"]);
  assert.deepEqual(changedLocks(before, locks({ two: [] })), []);
});

test("an update of layer 5 builds 2, 5 and 6 again; one of layer 1 all but 0 and 2", () => {
  assert.deepEqual(rebuiltLayers(graph, "sample", ["layer5-perf"]).slice(0, 3), ["layer2-wheels", "layer5-perf", "layer6-app"]);
  assert.deepEqual(rebuiltLayers(graph, "sample", ["layer1-python"]).slice(0, 5), ["layer1-python", "layer3-pytorch", "layer4-deps", "layer5-perf", "layer6-app"]);
  assert.deepEqual(rebuiltLayers(graph, "sample", []), []);
});

test("an added requirement stands in its place by name, and replaces one of the same name", () => {
  const file: RequirementsText = { python: "3.14", systems: {}, layers: { one: ["a", "c>=1"], two: ["d"] } };
  const added = (text: string) => addRequirement(file, "one", text, ["one", "two"], "").layers["one"];
  assert.deepEqual(added("B[x]"), ["a", "B[x]", "c>=1"]);
  assert.deepEqual(added("z"), ["a", "c>=1", "z"]);
  assert.deepEqual(added("C<2"), ["a", "C<2"]);
  assert.deepEqual(file.layers["one"], ["a", "c>=1"]);
});

test("command lines", () => {
  assert.deepEqual(parseArguments([]), { kind: "lock", flavor: "sample" });
  assert.deepEqual(parseArguments(["--check", "--flavor", "pypi"]), { kind: "check", flavor: "pypi" });
  assert.deepEqual(parseArguments(["add", "a>=1", "--layer", "layer5-perf"]), { kind: "add", flavor: "sample", layer: "layer5-perf", requirement: "a>=1" });
  assert.deepEqual(parseArguments(["update", "--flavor", "pypi", "a", "b"]), { kind: "update", flavor: "pypi", names: ["a", "b"] });
  assert.deepEqual(parseArguments(["add", "--help"]), { kind: "help" });
});

const bad: FaultRow<readonly string[]>[] = [
  { code: "LOCK_USAGE", input: ["remove", "a"], where: "npm run lock", says: ["found:    remove", "expected: add or add-node or remove-node or update"] },
  { code: "LOCK_USAGE", input: ["add"], where: "npm run lock", says: ["add wants one package"] },
  { code: "LOCK_USAGE", input: ["add", "a", "b"], where: "npm run lock", says: ["found:    a b"] },
  { code: "LOCK_USAGE", input: ["add", "a @ https://example.org/a.whl"], where: "npm run lock", says: ["this is no requirement"] },
  { code: "LOCK_USAGE", input: ["update", "--layer", "x"], where: "npm run lock", says: ["--layer belongs to add"] },
  { code: "LOCK_USAGE", input: ["update", "--check"], where: "npm run lock", says: ["--check goes with no command"] },
  { code: "LOCK_USAGE", input: ["--flavour", "x"], where: "npm run lock", says: ["--flavour"] },
];
for (const row of bad) test(`${row.code}: ${row.input.join(" ")}`, () => assertFault(row, parseArguments));

const question: Question = {
  target: { python: "3.14", platform: "manylinux_2_28", system: "aarch64-linux" },
  requirements: ["a[x]>=1"],
  constraints: ["b<2"],
  overrides: ["c>=3"],
  excludes: ["d"],
  fromSource: new Map([["e", undefined], ["f-g", ["a"]]]),
  known: [{ name: "h-i", version: "1.0+cu130", requires: ["a; python_version > '3'"] }],
  preferred: new Map([["a", "1.5"]]),
};

test("a question as uv's files: what is known beforehand has a name, a version and requirements, and an address that is never asked", () => {
  assert.deepEqual(uvFiles(question), {
    "requirements.in": "a[x]>=1\n",
    "constraints.txt": "b<2\nh-i @ https://file.invalid/h_i-1.0+cu130-py3-none-any.whl\n",
    "overrides.txt": "c>=3\n",
    "excludes.txt": "d\n",
    "uv.toml": '[[dependency-metadata]]\nname = "h-i"\nversion = "1.0+cu130"\nrequires-dist = ["a; python_version > \'3\'"]\n\n[[dependency-metadata]]\nname = "f-g"\nrequires-dist = ["a"]\n\n',
    "resolved.txt": "a==1.5\n",
  });
});

test("a question as uv's arguments: one Python, one platform, wheels only but for what comes as source", () => {
  const args = uvArguments(question);
  for (const part of ["--python-version=3.14", "--python-platform=aarch64-manylinux_2_28", "--only-binary=:all:", "--no-binary=e", "--no-binary=f-g"]) assert.ok(args.includes(part), part);
});

test("uv's answer by normalized name, known distributions by their version", () => {
  assert.deepEqual([...parseAnswer("# comment\nPyYAML==6.0\nh-i @ https://file.invalid/h_i-1.0%2Bcu130-py3-none-any.whl\n    # via x\na==1.5\n", question.known)], [["a", "1.5"], ["h-i", "1.0+cu130"], ["pyyaml", "6.0"]]);
});

test("versions of a package set: one that is dated counts as the release it follows", () => {
  assert.deepEqual([...packageVersions('{"a": "1.2", "b": "1.2-unstable-2026-01-01", "c": "unstable"}')], [["a", "1.2"], ["b", "1.2"], ["c", "0"]]);
});

test("the index of pip's configuration: the environment's wins over files", () => {
  assert.equal(indexInPipConfig(":env:.timeout='1'\nglobal.index-url='https://a.example/simple'\n"), "https://a.example/simple");
  assert.equal(indexInPipConfig(":env:.index-url='https://b.example/simple'\nglobal.index-url='https://a.example/simple'"), "https://b.example/simple");
  assert.equal(indexInPipConfig("global.extra-index-url='https://a.example/simple'\n"), undefined);
});

test("a progress bar, and plain figures where the size is not known", () => {
  assert.equal(progressText(3_000_000, 6_000_000), `[${"#".repeat(12)}${".".repeat(12)}] 3.0 MB of 6.0 MB`);
  assert.equal(progressText(3_000_000, undefined), "3.0 MB");
});
