/** The archive that a remote host gets. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { packSources } from "../../infra/ssh/sources.ts";

const folder = mkdtempSync(join(tmpdir(), "comfyui-tar-"));
after(() => rmSync(folder, { recursive: true }));

test("the archive depends on the sources alone, and holds what the layers may read and the scripts", () => {
  const root = join(folder, "project");
  const write = (path: string, content: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  for (const path of ["layers/layers.json", "layers/a/default.nix", "layers/a/build.sh", "layers/unlisted", "infra/hosts/ready.sh", "infra/hosts/bootstrap/build.sh", "infra/index.ts"]) write(path, path);
  const long = `layers/a/${"d".repeat(90)}/${"e".repeat(80)}/${"f".repeat(95)}`;
  write(long, "long");
  chmodSync(join(root, "layers/a/build.sh"), 0o755);
  const inputs = new Map([["a", { "a/default.nix": "1", "a/build.sh": "2+x", [long.slice("layers/".length)]: "3" }], ["b", { "a/default.nix": "1" }]]);
  const file = join(folder, "upload/stack.tar");
  const first = packSources(root, inputs, file);
  const names = execFileSync("tar", ["-tf", file], { encoding: "utf8" }).trim().split("\n");
  assert.deepEqual(names, ["infra/hosts/bootstrap/build.sh", "infra/hosts/ready.sh", "layers/a/build.sh", long, "layers/a/default.nix", "layers/layers.json"]);
  const out = join(folder, "out");
  mkdirSync(out);
  execFileSync("tar", ["-xf", file, "-C", out]);
  for (const name of names) {
    assert.deepEqual(readFileSync(join(out, name)), readFileSync(join(root, name)));
    assert.equal((statSync(join(out, name)).mode & 0o100) !== 0, name === "layers/a/build.sh", name);
  }
  const { mtimeMs } = statSync(file);
  utimesSync(join(root, "layers/a/build.sh"), 1, 1);
  chmodSync(join(root, "layers/layers.json"), 0o600);
  assert.deepEqual(packSources(root, inputs, file), first);
  assert.equal(statSync(file).mtimeMs, mtimeMs, "an equal archive is not written again");
  chmodSync(join(root, "layers/a/build.sh"), 0o644);
  assert.notEqual(packSources(root, inputs, file).digest, first.digest);
});
