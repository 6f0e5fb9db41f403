/** The archive that a remote host gets. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { packSources } from "../../infra/ssh/sources.ts";
import { tar } from "../../infra/ssh/tar.ts";

const folder = mkdtempSync(join(tmpdir(), "comfyui-tar-"));
after(() => rmSync(folder, { recursive: true }));

const entry = (path: string, content: string, executable = false) => ({ path, executable, content: Buffer.from(content) });

test("tar itself reads the archive: names, contents, and of the modes the executable bit", () => {
  const long = `${"d".repeat(90)}/${"e".repeat(50)}/${"f".repeat(95)}`;
  const entries = [entry("run.sh", "#!/bin/sh\n", true), entry("empty", ""), entry("folder/block", "x".repeat(512)), entry(long, "long\n"), entry("ünï", "u")];
  writeFileSync(join(folder, "a.tar"), tar(entries));
  const out = join(folder, "out");
  mkdirSync(out);
  execFileSync("tar", ["-xf", "a.tar", "-C", out], { cwd: folder });
  for (const { path, content, executable } of entries) {
    assert.deepEqual(readFileSync(join(out, path)), content);
    assert.equal((statSync(join(out, path)).mode & 0o100) !== 0, executable, path);
  }
  const listed = execFileSync("tar", ["-tvf", join(folder, "a.tar"), "--utc"], { encoding: "utf8" });
  assert.ok(listed.trim().split("\n").every((line) => / 0\/0 .* 1970-01-01 00:00 /.test(line)), listed);
});

test("a path that no tar of this form can hold is refused, not cut", () => {
  assert.throws(() => tar([entry("x".repeat(101), "")]), /too long/);
});

test("the archive depends on the sources alone, and holds what the layers may read and the scripts", () => {
  const root = join(folder, "project");
  const write = (path: string, content: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  for (const path of ["layers/layers.json", "layers/a/default.nix", "layers/a/build.sh", "layers/unlisted", "infra/hosts/ready.sh", "infra/hosts/bootstrap/build.sh", "infra/index.ts"]) write(path, path);
  chmodSync(join(root, "layers/a/build.sh"), 0o755);
  const inputs = new Map([["a", { "a/default.nix": "1", "a/build.sh": "2+x" }], ["b", { "a/default.nix": "1" }]]);
  const file = join(folder, "upload/stack.tar");
  const first = packSources(root, inputs, file);
  const names = execFileSync("tar", ["-tf", file], { encoding: "utf8" }).trim().split("\n");
  assert.deepEqual(names, ["infra/hosts/bootstrap/build.sh", "infra/hosts/ready.sh", "layers/a/build.sh", "layers/a/default.nix", "layers/layers.json"]);
  const { mtimeMs } = statSync(file);
  utimesSync(join(root, "layers/a/build.sh"), 1, 1);
  assert.deepEqual(packSources(root, inputs, file), first);
  assert.equal(statSync(file).mtimeMs, mtimeMs, "an equal archive is not written again");
  chmodSync(join(root, "layers/a/build.sh"), 0o644);
  assert.notEqual(packSources(root, inputs, file).digest, first.digest);
});
