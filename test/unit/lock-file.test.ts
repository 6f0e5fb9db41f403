import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { formatLockFile, type LockedFile, parseLockFile } from "../../infra/lock/lock-file.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { assertFault, type FaultRow, faultsOf } from "./faults.ts";

const hash = `sha256-${"A".repeat(43)}=`;
const entry = (more: object = {}) => ({ index: "pypi", name: "six", version: "1.17.0", file: "six-1.17.0-py2.py3-none-any.whl", hash, ...more });
const without = (key: string, more: object = {}) => Object.fromEntries(Object.entries(entry(more)).filter(([name]) => name !== key));
const text = (...files: object[]) => JSON.stringify({ files });
const WHERE = "layers/locks/sample/a.lock.json";
const parse = (input: string) => parseLockFile(input, WHERE);

test("an entry of each origin is read", () => {
  const rev = "0123456789".repeat(4);
  const files = [entry(), without("index", { url: "https://example.org/six.whl" }), without("index", { git: "https://example.org/six.git", rev, ref: "main" }), without("index", { given: true })];
  assert.equal(parse(text(...files)).files.length, 4);
});

const bad: FaultRow<string>[] = [
  { code: "LOCK_BROKEN", input: '{"files": [{"index"', where: WHERE, says: ["not whole JSON", `fix:      git restore ${WHERE}`] },
  { code: "LOCK_BROKEN", input: "", where: WHERE, says: ["not whole JSON"] },
  { code: "LOCK_BROKEN", input: "{}", where: `${WHERE}: files`, says: ["missing", "expected: array", `git restore ${WHERE}`] },
  { code: "LOCK_BROKEN", input: JSON.stringify({ files: [], digest: "1" }), where: `${WHERE}: digest`, says: ["there is no such key"] },
  { code: "LOCK_ENTRY", input: text(without("index")), where: `${WHERE}: files[0] (six)`, says: ["the entry says nowhere where its bytes are", "expected: one of index, url, git, given"] },
  { code: "LOCK_ENTRY", input: text(entry({ url: "https://example.org/six.whl" })), where: `${WHERE}: files[0] (six)`, says: ["more than once", "expected: one of index"] },
  { code: "LOCK_ENTRY", input: text(without("version")), where: `${WHERE}: files[0].version (six)`, says: ["the value is missing"] },
  { code: "LOCK_ENTRY", input: text(without("hash")), where: `${WHERE}: files[0].hash (six)`, says: ["the value is missing"] },
  { code: "LOCK_ENTRY", input: text(entry({ hash: "sha256-0000" })), where: `${WHERE}: files[0].hash (six)`, says: ["32 bytes in base64"] },
  { code: "LOCK_ENTRY", input: text(entry({ system: "x86_64" })), where: `${WHERE}: files[0].system (six)`, says: ['"x86_64-linux" or "aarch64-linux"'] },
  { code: "LOCK_ENTRY", input: text(entry({ name: "Six" })), where: `${WHERE}: files[0].name (Six)`, says: ["a normalized name"] },
  { code: "LOCK_ENTRY", input: text(entry({ sha256: "1" })), where: `${WHERE}: files[0].sha256 (six)`, says: ["there is no such key"] },
];
for (const row of bad) test(`${row.code} at ${row.where}: ${row.says[0]}`, () => assertFault(row, parse));

test("all faults of a lock are reported at once", () =>
  assert.deepEqual(faultsOf(() => parse(text(without("hash"), without("version"), without("index")))).map(({ where }) => where), [`${WHERE}: files[0].hash (six)`, `${WHERE}: files[1].version (six)`, `${WHERE}: files[2] (six)`]));

test("a lock is written by name, then system, one entry a line; writing what was read changes nothing", () => {
  const files = [entry({ name: "b" }), entry({ name: "a", system: "x86_64-linux" }), entry({ name: "a", system: "aarch64-linux" })] as LockedFile[];
  const written = formatLockFile({ files });
  assert.deepEqual(parse(written).files.map(({ name, system }) => `${name} ${system}`), ["a aarch64-linux", "a x86_64-linux", "b undefined"]);
  assert.equal(written.split("\n").length, 2 + 3 + 3);
  assert.equal(formatLockFile(parse(written)), written);
  assert.equal(formatLockFile({ files: [] }), '{\n  "files": []\n}\n');
});

test("keys of an entry have one order, whatever order they came in", () => {
  const shuffled = Object.fromEntries(Object.entries(entry({ size: 5, build: { relax: ["torch"], env: { A: "1" } } })).reverse());
  assert.match(formatLockFile({ files: [shuffled as unknown as LockedFile] }), /^ {4}\{"index": "pypi", "name": "six", "version": "1.17.0", "file": "[^"]+", "hash": "[^"]+", "size": 5, "build": \{"relax": \["torch"\], "env": \{"A": "1"\}\}\}$/m);
});

test("every committed lock of the flavors has this form", () => {
  const files = globSync("layers/locks/*/*.lock.json", { cwd: CHECKOUT });
  assert.ok(files.length > 0);
  for (const file of files) {
    const committed = readFileSync(`${CHECKOUT}/${file}`, "utf8");
    assert.equal(formatLockFile(parseLockFile(committed, file)), committed, file);
  }
});
