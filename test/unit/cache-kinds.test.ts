/** Each kind of binary cache defines all that cache.sh asks of one, and no kind is without its file. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { protocol } from "../../infra/request.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { run } from "../support/process.ts";

const hosts = `${CHECKOUT}/infra/hosts`;
const shared = readFileSync(`${hosts}/cache.sh`, "utf8");

/** The names that the head of cache.sh promises: variables in capitals, functions. */
const promised = [...shared.matchAll(/^# {3}([A-Za-z_]+) /gm)].map(([, name = ""]) => name);

async function definitions(kind: string): Promise<Set<string>> {
  const request = JSON.stringify({ protocol, cache: { kind } });
  const script = `set -euo pipefail; . '${hosts}/common.sh'; . '${hosts}/cache.sh'; read_request <<<"$1"; use_cache; compgen -v; compgen -A function`;
  const { stdout } = await run("bash", ["-c", script, "kinds", request]);
  return new Set(stdout.split("\n"));
}

test("the kinds are those that have a file", () => {
  const [, kinds = ""] = /^readonly CACHE_KINDS=\((.*)\)$/m.exec(shared) ?? [];
  const files = globSync("cache-*.sh", { cwd: hosts }).filter((file) => /^CACHE_TOOLS=/m.test(readFileSync(`${hosts}/${file}`, "utf8")));
  assert.deepEqual(files.sort(), kinds.split(" ").map((kind) => `cache-${kind}.sh`).sort());
});

for (const kind of ["directory", "nix-serve", "s3"]) {
  test(`${kind} defines what every kind does`, async () => {
    const defined = await definitions(kind);
    assert.ok(promised.length >= 15);
    assert.deepEqual(promised.filter((name) => !defined.has(name)), []);
  });
}
