/** Every error code is asserted by some test; the few that are not are named here, with the reason. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { faultTable } from "../../infra/faults.ts";
import { CHECKOUT } from "../support/checkout.ts";

const UNTESTED: Readonly<Record<string, string>> = {
  PREFETCH_STORE: "wants a store that loses files between two commands of one script",
  SETUP_DOWNLOADS_FAILED: "its causes are the codes of prefetch.sh, which are tested one by one",
  SETUP_FOLDER: "wants a folder that its user cannot write",
  SETUP_NIX_DAEMON_OLD: "wants a Nix daemon older than 2.18",
  SETUP_NIX_SANDBOX: "wants a kernel that allows no namespaces",
  SETUP_PLATFORM: "wants another kind of machine",
  SETUP_STACK_FAILED: "wants a backend that cannot be written",
};

/** Codes as tests assert them: in a title, in a table's row, in an expected list, in a pattern for a message; not in comments. */
function assertedCodes(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const file of globSync("test/{unit,nix,e2e,hosts}/**/*.test.ts", { cwd: CHECKOUT }).filter((each) => !each.endsWith("fault-coverage.test.ts"))) {
    const text = readFileSync(`${CHECKOUT}/${file}`, "utf8").replace(/^\s*(\/\/|\/?\*).*$/gm, "");
    for (const [, code = ""] of text.matchAll(/(?:["`]|error\\*\[)([A-Z]+_[A-Z_]+)\b/g)) {
      if (code in faultTable) found.set(code, [...new Set([...(found.get(code) ?? []), file])]);
    }
  }
  return found;
}

test("at least 25 error codes are asserted, and each that is not is known", (t) => {
  const asserted = assertedCodes();
  const all = Object.keys(faultTable);
  t.diagnostic(`${asserted.size} of ${all.length} codes are asserted; not: ${Object.keys(UNTESTED).join(", ")}`);
  assert.ok(asserted.size >= 25, `${asserted.size}`);
  assert.deepEqual(all.filter((code) => !asserted.has(code)).sort(), Object.keys(UNTESTED).sort());
});
