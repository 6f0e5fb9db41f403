/** What Nix says of paths, whose form differs by its version. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { CHECKOUT } from "../support/checkout.ts";

const [there, lost] = ["/nix/store/11111111111111111111111111111111-there", "/nix/store/22222222222222222222222222222222-lost"];
const info = { narHash: "sha256-AAAA", narSize: 1, references: [] };

for (const [version, said] of Object.entries({
  "2.18": [{ path: there, ...info }, { path: lost, valid: false }],
  "2.19": { [there]: info, [lost]: null },
})) {
  test(`what a cache lacks, as Nix ${version} tells it`, () => {
    const script = `. infra/hosts/common.sh; . infra/hosts/cache.sh; nix() { cat >/dev/null; printf '%s' "$0"; }; lacking file:///cache`;
    const paths = execFileSync("bash", ["-euo", "pipefail", "-c", script, JSON.stringify(said)], { cwd: CHECKOUT, input: `${there}\n${lost}\n`, encoding: "utf8" });
    assert.equal(paths, `${lost}\n`);
  });
}
