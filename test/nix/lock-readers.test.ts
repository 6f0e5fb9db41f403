/** Locks are read by TypeScript (zod) and by Nix: what one refuses for its shape, the other refuses too. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseLockFile } from "../../infra/lock/lock-file.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { run } from "../support/process.ts";
import { faultsOf } from "../unit/faults.ts";

const folder = mkdtempSync(join(tmpdir(), "comfyui-readers-"));
after(() => rmSync(folder, { recursive: true }));

/** The names in a lock as layers/lib/files.nix gives them; or what Nix says against it. */
async function readWithNix(text: string): Promise<{ readonly names?: unknown; readonly error: string }> {
  writeFileSync(join(folder, "a.lock.json"), text);
  const lib = `${CHECKOUT}/layers/lib`;
  const expression = `
    let files = import ${lib}/files.nix {
      pkgs.stdenv.hostPlatform.system = "x86_64-linux";
      distribution = import ${lib}/distribution.nix;
      chosen = null;
      locks = ${folder};
    };
    in map (file: file.name) (files.locked "a.lock.json")`;
  const { code, stdout, stderr } = await run("nix-instantiate", ["--eval", "--strict", "--json", "--expr", expression], { allowFailure: true });
  return code === 0 ? { names: JSON.parse(stdout), error: "" } : { error: stderr };
}

const entry = (more: object = {}) => ({ index: "pypi", name: "six", version: "1.17.0", file: "six-1.17.0-py2.py3-none-any.whl", hash: `sha256-${"A".repeat(43)}=`, ...more });
const without = (key: string, more: object = {}) => Object.fromEntries(Object.entries(entry(more)).filter(([name]) => name !== key));
const text = (...files: object[]) => JSON.stringify({ files });

test("both read the same lock; Nix takes what is for its system", async () => {
  const good = text(entry(), entry({ name: "arm", system: "aarch64-linux" }), without("index", { name: "given", given: true }));
  assert.deepEqual((await readWithNix(good)).names, ["six", "given"]);
  assert.equal(parseLockFile(good, "a.lock.json").files.length, 3);
});

const broken: readonly (readonly [string, string, RegExp])[] = [
  ["a hash without a version", text(without("version")), /the lock's entry for six lacks version; see: npm run lock -- --check/],
  ["a version without a hash", text(without("hash")), /six lacks hash/],
  ["no file name", text(without("file")), /six lacks file/],
  ["no name", text(without("name")), /six-1\.17\.0-py2\.py3-none-any\.whl lacks name/],
  ["a number for a version", text(entry({ version: 1 })), /six lacks version/],
  ["no origin", text(without("index")), /six needs exactly one of git given index url/],
  ["two origins", text(entry({ url: "https://example.org/six.whl" })), /six needs exactly one of git given index url/],
  ["cut off", '{"files": [{"index": "pypi"', /JSON|parse/i],
];
for (const [what, lock, says] of broken) {
  test(`both refuse: ${what}`, async () => {
    assert.match((await readWithNix(lock)).error, says);
    assert.ok(faultsOf(() => parseLockFile(lock, "a.lock.json")).length > 0);
  });
}
