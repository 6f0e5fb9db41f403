/** What is pushed to Cachix: all that the binary cache names. Cachix cannot be had here: a program in its place writes down what it gets. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CHECKOUT } from "../support/checkout.ts";
import { run } from "../support/process.ts";

const paths = ["/nix/store/00000000000000000000000000000000-a", "/nix/store/11111111111111111111111111111111-b-1.0"];

test("every path of the cache goes to cachix's standard input; without paths or token nothing is called", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ci-cachix-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const each of ["bin", "cache", "empty"]) mkdirSync(join(folder, each));
  writeFileSync(join(folder, "bin/nix"), `#!/bin/sh\nprintf '%s\\n' "$@" "settings: $NIX_CONFIG" >${folder}/arguments\ncat >${folder}/input\n`);
  chmodSync(join(folder, "bin/nix"), 0o755);
  writeFileSync(join(folder, "cache/nix-cache-info"), "StoreDir: /nix/store\n");
  paths.forEach((path, at) => writeFileSync(join(folder, `cache/${at}.narinfo`), `StorePath: ${path}\nURL: nar/x.nar.zst\nReferences: ${path.slice(11)} other\n`));
  const env = { PATH: `${join(folder, "bin")}:${process.env["PATH"]}`, NIX_CONFIG: "substituters =", CACHIX_CACHE: "team", CACHIX_AUTH_TOKEN: "secret" };
  const push = (cache: string, more: Record<string, string> = {}) => run("bash", ["infra/ci/push-to-cachix.sh", join(folder, cache)], { cwd: CHECKOUT, allowFailure: true, env: { ...env, ...more } });

  const lacking = await push("cache", { CACHIX_AUTH_TOKEN: "" });
  assert.match(lacking.stderr, /error\[CI_ENVIRONMENT\]: CACHIX_AUTH_TOKEN is not set/);
  const empty = await push("empty");
  assert.match(empty.stderr, /error\[CI_CACHE_EMPTY\]/);
  assert.throws(() => readFileSync(join(folder, "arguments")), { code: "ENOENT" });

  const { code, stdout, stderr } = await push("cache");
  assert.equal(code, 0, stderr);
  assert.equal(readFileSync(join(folder, "input"), "utf8"), `${paths.join("\n")}\n`);
  const called = readFileSync(join(folder, "arguments"), "utf8");
  assert.match(called, /^shell\n--inputs-from\npath:.*\/layers\nnixpkgs#cachix\n--command\ncachix\npush\nteam\nsettings: experimental-features = nix-command flakes\nflake-registry =\n/);
  assert.doesNotMatch(called + stdout + stderr, /secret/);
});
