import assert from "node:assert/strict";
import { test } from "node:test";
import { type Choice, chooseFile, entriesOf, type Wanted } from "../../infra/lock/entries.ts";
import { parseFileName } from "../../infra/lock/file-name.ts";
import type { IndexFile } from "../../infra/lock/index-client.ts";
import type { LockedFile, System } from "../../infra/lock/lock-file.ts";
import { parseRequirements } from "../../infra/lock/requirements-file.ts";
import { bestWheel, fitsEverySystem, type Target } from "../../infra/lock/wheel-tags.ts";

const x86: Target = { python: "3.14", platform: "manylinux_2_28", system: "x86_64-linux" };
const arm: Target = { ...x86, system: "aarch64-linux" };

test("what a file's name says", () => {
  assert.deepEqual(parseFileName("nvidia_nccl_cu13-2.30.7-py3-none-manylinux_2_18_x86_64.whl"), { kind: "wheel", name: "nvidia-nccl-cu13", version: "2.30.7", pythons: ["py3"], abis: ["none"], platforms: ["manylinux_2_18_x86_64"] });
  assert.deepEqual(parseFileName("a-1.0-2build-py2.py3-none-any.whl"), { kind: "wheel", name: "a", version: "1.0", pythons: ["py2", "py3"], abis: ["none"], platforms: ["any"] });
  assert.deepEqual(parseFileName("antlr4-python3-runtime-4.9.3.tar.gz"), { kind: "source", name: "antlr4-python3-runtime", version: "4.9.3" });
  for (const file of ["torch.whl", "a-one-py3-none-any.whl", "a-1.0.exe", "1.0.tar.gz", "a-1.0-py3-any.whl"]) assert.equal(parseFileName(file), undefined, file);
});

const fits: readonly (readonly [string, Target])[] = [
  ["cp314-cp314-manylinux_2_28_x86_64", x86], ["cp314-cp314-manylinux2014_x86_64.manylinux_2_17_x86_64", x86], ["cp36-abi3-manylinux2010_x86_64", x86], ["py3-none-any", x86], ["py2.py3-none-any", x86],
  ["py313-none-any", x86], ["cp314-none-any", x86], ["py3-none-manylinux1_x86_64", x86], ["cp314-cp314-linux_x86_64", x86], ["cp314-cp314-manylinux_2_34_x86_64.manylinux_2_28_x86_64", x86], ["cp39-abi3-manylinux_2_28_aarch64", arm],
];
const unfit: readonly (readonly [string, Target])[] = [
  ["cp313-cp313-manylinux_2_28_x86_64", x86], ["cp314-cp314t-manylinux_2_28_x86_64", x86], ["cp314-cp314-manylinux_2_34_x86_64", x86], ["cp314-cp314-musllinux_1_2_x86_64", x86], ["cp314-cp314-macosx_11_0_arm64", arm],
  ["cp315-abi3-manylinux_2_28_x86_64", x86], ["py2-none-any", x86], ["cp314-cp314-win_amd64", x86], ["cp314-cp314-manylinux_2_28_x86_64", arm], ["pp311-pypy311_pp73-manylinux_2_28_x86_64", x86], ["py315-none-any", x86],
];
test("tags that fit a Python and a system, and tags that do not", () => {
  for (const [tags, target] of fits) assert.ok(bestWheel([{ file: `a-1.0-${tags}.whl` }], target), tags);
  for (const [tags, target] of unfit) assert.equal(bestWheel([{ file: `a-1.0-${tags}.whl` }], target), undefined, tags);
});

test("of several the one that pip would take: the exact ABI, the newest stable ABI, the newest C library, then any", () => {
  const ordered = ["cp314-cp314-manylinux_2_28_x86_64", "cp314-cp314-manylinux2014_x86_64", "cp314-cp314-linux_x86_64", "cp310-abi3-manylinux_2_28_x86_64", "cp36-abi3-manylinux_2_28_x86_64", "cp314-none-manylinux_2_28_x86_64", "py3-none-manylinux_2_28_x86_64", "py3-none-any"];
  for (let at = 0; at < ordered.length; at++) {
    const rest = ordered.slice(at).toReversed().map((tags) => ({ file: `a-1.0-${tags}.whl` }));
    assert.equal(bestWheel(rest, x86)?.file, `a-1.0-${ordered[at]}.whl`);
  }
});

test("only pure wheels and sources fit every system", () => {
  assert.deepEqual(["a-1.0-py3-none-any.whl", "a-1.0.tar.gz", "a-1.0-py3-none-manylinux_2_28_x86_64.whl"].map(fitsEverySystem), [true, true, false]);
});

const hash = (letter: string) => `sha256-${letter.repeat(43)}=`;
const file = (name: string, more: Partial<IndexFile> = {}): IndexFile => ({ file: name, url: `http://index/${name}`, hash: hash("A"), size: 5, ...more });
const wanted = (more: Partial<Wanted> = {}): Wanted => ({ name: "a", version: "1.0", target: x86, fromSource: false, ...more });
const entry = (more: Partial<LockedFile> = {}): LockedFile => ({ index: "pypi", name: "a", version: "1.0", file: "a-1.0-py3-none-any.whl", hash: hash("A"), ...more }) as LockedFile;
const codeOf = (found: object) => ("code" in found ? found.code : "none");

test("LOCK_NO_FILE: nothing of the version fits; the message lists what there is", () => {
  const fault = chooseFile(wanted(), [file("a-1.0-cp313-cp313-manylinux_2_28_x86_64.whl"), file("a-0.9-py3-none-any.whl")], "where");
  assert.deepEqual({ ...fault, where: "" }, { code: "LOCK_NO_FILE", where: "", problem: "the index has no wheel of a 1.0 that fits x86_64-linux", found: "a-1.0-cp313-cp313-manylinux_2_28_x86_64.whl", expected: "a wheel for Python 3.14 and manylinux_2_28" });
});

test("a version is found however the file's name writes it; a source only where it is built from source", () => {
  const files = [file("a-1.0.0-py3-none-any.whl"), file("a-1.0.zip"), file("a-1.0.tar.gz")];
  assert.deepEqual([wanted(), wanted({ fromSource: true })].map((each) => (chooseFile(each, files, "") as Choice).file.file), ["a-1.0.0-py3-none-any.whl", "a-1.0.tar.gz"]);
});

test("the file locked before stays, though a better one came; another one is taken when it no longer fits or is of another version", () => {
  const files = [file("a-1.0-py3-none-any.whl"), file("a-1.0-cp314-cp314-manylinux_2_28_x86_64.whl")];
  const chosen = (before: LockedFile) => (chooseFile(wanted({ before }), files, "") as Choice).file.file;
  assert.equal(chosen(entry()), "a-1.0-py3-none-any.whl");
  assert.equal(chosen(entry({ version: "0.9" })), "a-1.0-cp314-cp314-manylinux_2_28_x86_64.whl");
});

test("LOCK_HASH and LOCK_YANKED: another hash for the same file, and a file that was taken back", () => {
  assert.equal(codeOf(chooseFile(wanted({ before: entry() }), [file("a-1.0-py3-none-any.whl", { hash: hash("B") })], "")), "LOCK_HASH");
  assert.equal(codeOf(chooseFile(wanted(), [file("a-1.0-py3-none-any.whl", { yanked: "" })], "")), "LOCK_YANKED");
});

test("where the index states no hash, the locked one is kept", () => {
  const { hash: _hash, size: _size, ...silent } = file("a-1.0-py3-none-any.whl");
  assert.equal((chooseFile(wanted({ before: entry({ hash: hash("C") }) }), [silent], "") as Choice).file.hash, hash("C"));
});

test("one entry for a file that all systems use and that runs everywhere, else one for each system; with how it is built", () => {
  const requirements = parseRequirements(JSON.stringify({ python: "3.14", systems: { "x86_64-linux": "manylinux_2_28", "aarch64-linux": "manylinux_2_28" }, layers: {}, fromSource: { a: { build: { env: { FAST: "0" } } } } }), "", []);
  const choice = (system: System, name: string): Choice => ({ name: "a", version: "1.0", system, file: file(name) });
  const systemsOf = (choices: readonly Choice[]) => entriesOf(choices, requirements, 2, []).map(({ system, build }) => [system, build?.env?.["FAST"]]);
  const pure = "a-1.0-py3-none-any.whl";
  assert.deepEqual(systemsOf([choice("x86_64-linux", pure), choice("aarch64-linux", pure)]), [[undefined, "0"]]);
  assert.deepEqual(systemsOf([choice("x86_64-linux", pure)]), [["x86_64-linux", "0"]]);
  assert.deepEqual(systemsOf([choice("x86_64-linux", "a-1.0-cp314-cp314-manylinux_2_28_x86_64.whl"), choice("aarch64-linux", pure)]), [["x86_64-linux", "0"], ["aarch64-linux", "0"]]);
});

test("a size once known stays where the index does not state it", () => {
  const requirements = parseRequirements(JSON.stringify({ python: "3.14", systems: { "x86_64-linux": "manylinux_2_28" }, layers: {} }), "", []);
  const { size: _size, ...silent } = file("a-1.0-py3-none-any.whl");
  assert.equal(entriesOf([{ name: "a", version: "1.0", system: "x86_64-linux", file: silent }], requirements, 1, [entry({ size: 7 })])[0]?.size, 7);
});
