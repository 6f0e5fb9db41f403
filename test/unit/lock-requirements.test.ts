import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { lockedLayers } from "../../infra/lock/assignment.ts";
import { parseRequirement } from "../../infra/lock/requirement.ts";
import { formatRequirements, parseRequirements } from "../../infra/lock/requirements-file.ts";
import { readLayerGraph } from "../../infra/read-plan.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { assertFault, type FaultRow, faultsOf } from "./faults.ts";

test("a requirement's parts", () => {
  assert.deepEqual(parseRequirement("Foo_Bar [a, b] >= 1.2 , <2 ; python_version < '4'"), { name: "foo-bar", bounds: ">=1.2,<2", marker: "python_version < '4'" });
  assert.deepEqual(parseRequirement("pydantic~=2.0"), { name: "pydantic", bounds: "~=2.0", marker: "" });
  assert.deepEqual(parseRequirement("torch==2.10.0+cu130")?.bounds, "==2.10.0+cu130");
  assert.deepEqual(parseRequirement("numpy==2.*")?.bounds, "==2.*");
  for (const text of ["", "a b", "torch @ https://example.org/a.whl", "-r file.txt", "numpy>", "numpy 2"]) assert.equal(parseRequirement(text), undefined, text);
});

const WHERE = "layers/flavors/sample/requirements.json";
const parse = (input: string) => parseRequirements(input, WHERE, ["one", "two"]);
const good = { python: "3.14", systems: { "x86_64-linux": "manylinux_2_28" }, layers: { one: ["numpy"] } };
const text = (more: object) => JSON.stringify({ ...good, ...more });
const file = { name: "torch", version: "2.10.0+cu130", file: "torch.whl", hash: `sha256-${"A".repeat(43)}=`, requires: ["sympy"] };

test("what is left out has its default", () => assert.deepEqual(parse(text({})), { ...good, bounds: [], overrides: [], fromSource: {}, files: [], leaveOut: [], nixpkgsNames: {} }));

const bad: FaultRow<string>[] = [
  { code: "LOCK_REQUIREMENTS", input: "{", where: WHERE, says: ["not JSON"] },
  { code: "LOCK_REQUIREMENTS", input: text({ python: "3" }), where: `${WHERE}: python`, says: ["a minor version of Python 3"] },
  { code: "LOCK_REQUIREMENTS", input: text({ systems: { "x86_64-linux": "linux" } }), where: `${WHERE}: systems.x86_64-linux`, says: ["manylinux_2_N"] },
  { code: "LOCK_REQUIREMENTS", input: text({ layers: { one: ["numpy >"] } }), where: `${WHERE}: layers.one[0]`, says: ['found:    "numpy >"'] },
  { code: "LOCK_REQUIREMENTS", input: text({ leaveOut: [{ name: "decord", system: "aarch64-linux" }] }), where: `${WHERE}: leaveOut[0].reason`, says: ["missing"] },
  { code: "LOCK_REQUIREMENTS", input: text({ files: [{ ...file }] }), where: `${WHERE}: files[0]`, says: ["the entry says nowhere where its bytes are"] },
  { code: "LOCK_REQUIREMENTS", input: text({ files: [{ ...file, url: "https://example.org/torch.whl", hash: "no" }] }), where: `${WHERE}: files[0].hash`, says: ['found:    "no"'] },
  { code: "LOCK_REQUIREMENTS", input: text({ fromSorce: {} }), where: `${WHERE}: fromSorce`, says: ["there is no such key"] },
  { code: "LOCK_LAYER_UNKNOWN", input: text({ layers: { three: ["numpy"] } }), where: `${WHERE}: layers.three`, says: ["expected: one, two"] },
];
for (const row of bad) test(`${row.code} at ${row.where}: ${row.says[0]}`, () => assertFault(row, parse));

test("all faults of the file are reported at once", () => assert.equal(faultsOf(() => parse(text({ python: "4", layers: { one: ["a b", "c d"] } }))).length, 3));

test("every committed file has the one written form, so that an added requirement is one line", () => {
  const graph = readLayerGraph(`${CHECKOUT}/layers`);
  const files = globSync("layers/flavors/*/requirements.json", { cwd: CHECKOUT });
  assert.ok(files.length > 0);
  for (const path of files) {
    const committed = readFileSync(`${CHECKOUT}/${path}`, "utf8");
    parseRequirements(committed, path, lockedLayers(graph));
    assert.equal(formatRequirements(JSON.parse(committed)), committed, path);
  }
});
