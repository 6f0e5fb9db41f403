import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readLayerInputs } from "../../infra/input-files.ts";
import { parseLayerGraph } from "../../infra/layer-graph.ts";
import { assertFault } from "./faults.ts";

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "input-files-"));
  t.after(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, "lib/deep"), { recursive: true });
  writeFileSync(join(dir, "lib/a.nix"), "a");
  writeFileSync(join(dir, "lib/deep/run.sh"), "b");
  chmodSync(join(dir, "lib/deep/run.sh"), 0o755);
  return dir;
}

const read = (dir: string, inputs: readonly string[]) =>
  readLayerInputs(parseLayerGraph(JSON.stringify({ flavors: { sample: { packageSet: "p" } }, shared: [], layers: [{ attr: "a", inputs, on: [], after: [], blob: true, smoke: [] }] })), "sample", dir).get("a");

test("a folder is all files in it, each by bytes and executable bit", (t) => {
  assert.deepEqual(read(folder(t), ["lib/"]), {
    "lib/a.nix": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    "lib/deep/run.sh": "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d+x",
  });
});

test("permissions other than the owner's executable bit, and times, do not count", (t) => {
  const dir = folder(t);
  const before = read(dir, ["lib/"]);
  chmodSync(join(dir, "lib/a.nix"), 0o600);
  assert.deepEqual(read(dir, ["lib/"]), before);
});

test("a file named by several inputs is one file", (t) => assert.equal(Object.keys(read(folder(t), ["lib/", "lib/a.nix"]) ?? {}).length, 2));

const bad = [
  { code: "GRAPH_INPUT_MISSING", inputs: ["nope.nix"], says: ["the input nope.nix does not exist", "expected: layers/nope.nix"] },
  { code: "GRAPH_INPUT_KIND", inputs: ["lib"], says: ["the input lib is a folder", "expected: lib/"] },
  { code: "GRAPH_INPUT_KIND", inputs: ["lib/a.nix/"], says: ["is no folder", "expected: lib/a.nix"] },
  { code: "GRAPH_INPUT_SYMLINK", inputs: ["lib/"], prepare: (dir: string) => symlinkSync("a.nix", join(dir, "lib/link")), says: ["lib/link is a symbolic link"] },
  { code: "GRAPH_INPUT_SPECIAL", inputs: ["lib/"], prepare: (dir: string) => execFileSync("mkfifo", [join(dir, "lib/pipe")]), says: ["lib/pipe is neither a file nor a folder"] },
  { code: "GRAPH_INPUT_NAME", inputs: ["lib/"], prepare: (dir: string) => writeFileSync(join(dir, "lib/a b"), ""), says: ['"lib/a b"'] },
  { code: "GRAPH_INPUT_EMPTY", inputs: ["lib/", "empty/"], prepare: (dir: string) => mkdirSync(join(dir, "empty")), says: ["the input folder empty/ holds no file"] },
] as const;
for (const { code, inputs, says, ...row } of bad) {
  test(`${code}: ${says[0]}`, (t) => {
    const dir = folder(t);
    if ("prepare" in row) row.prepare(dir);
    assertFault({ code, input: inputs, where: "layers.json: a", says }, (named) => read(dir, named));
  });
}
