/** The same sources give the same image, bit by bit, on a machine that differs in everything that should not matter. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { otherNix } from "../support/other-nix.ts";
import { outputs } from "../support/outputs.ts";
import { prefetchedStore } from "../support/prefetched-store.ts";
import { run } from "../support/process.ts";
import { up } from "../support/pulumi.ts";
import { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

test("a cold build with another Nix, one core, an optimised store, another umask, folder and file times: the same digests", async (t) => {
  await using warm = await warmSandbox();
  const expected = await outputs(warm);

  await using cold = await Sandbox.create({ store: await prefetchedStore(), at: "/tmp/another place/for-this" });
  await cold.bash("find . -xdev -type f -not -path './node_modules/*' -not -path './.local/*' -exec touch -d 2001-02-03 {} +");
  // As a checkout under that umask leaves them.
  await cold.bash("chmod -R go= layers infra stacks");
  const env = {
    PATH: `${await otherNix("sid")}:${cold.env["PATH"]}`,
    NIX_CONFIG: `${cold.env["NIX_CONFIG"]}\nauto-optimise-store = true\ncores = 1\nmax-jobs = 1\n`,
  };
  const versions = [await warm.run("nix", ["--version"]), await cold.run("nix", ["--version"], { env })].map(({ stdout }) => stdout.trim());
  assert.notEqual(versions[0], versions[1]);
  // All that this process starts from here on sees one core.
  await run("taskset", ["--all-tasks", "--cpu-list", "--pid", "0", String(process.pid)]);
  assert.equal((await cold.run("nproc")).stdout, "1\n");
  const umask = process.umask(0o077);
  try {
    await up(cold, { env, timeout: 20 * 60_000 });
  } finally {
    process.umask(umask);
  }
  const found = await outputs(cold);
  t.diagnostic(`${versions.join(" and ")}: ${found.image.digest}`);
  for (const [attr, { blobs, storePath }] of Object.entries(expected.layers)) {
    assert.ok((found.layers[attr]?.built ?? 0) > 0, `${attr} was built, not fetched`);
    assert.deepEqual([found.layers[attr]?.storePath, found.layers[attr]?.blobs], [storePath, blobs], attr);
  }
  assert.equal(found.image.digest, expected.image.digest);
});
