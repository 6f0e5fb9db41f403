/** What is lost behind the stack's back is found, and what the finding says brings it back, without a build. */
import assert from "node:assert/strict";
import { readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { after, test } from "node:test";
import { z } from "zod";
import { outputs } from "../support/outputs.ts";
import { up } from "../support/pulumi.ts";
import { warmSandbox } from "../support/warm.ts";

const sandbox = await warmSandbox();
after(() => sandbox.stop());

const drifted = z.object({ findings: z.array(z.object({ subject: z.string(), what: z.string(), problem: z.string(), mend: z.string() })) });

async function drift() {
  const { stdout, stderr, code } = await sandbox.run("node", ["infra/ops.ts", "drift", "--json"], { allowFailure: true });
  assert.ok(code === 0 || code === 2, stderr);
  const { findings } = drifted.parse(JSON.parse(stdout));
  assert.equal(code, findings.length === 0 ? 0 : 2);
  return findings;
}

const root = (name: string) => sandbox.host(`.local/host/roots/layers/${name}`);
const narinfo = (name: string) => sandbox.host(`.local/cache/${basename(readlinkSync(root(name))).slice(0, 32)}.narinfo`);

test("nothing is wrong after an up", async () => assert.deepEqual(await drift(), []));

test("a lost store path, lost cache paths and a lost image are named; what mends them builds nothing", async () => {
  const before = await outputs(sandbox);
  const lost = (await sandbox.bash("readlink .local/host/roots/layers/layer5-perf-2")).stdout.trim();
  await sandbox.bash(`nix-store --query --referrers-closure ${lost} | xargs nix-store --delete --ignore-liveness`);
  rmSync(narinfo("layer1-python"));
  rmSync(sandbox.host(".local/images"), { recursive: true });
  const findings = await drift();
  assert.deepEqual(findings.map(({ subject, what }) => [subject, what]), [["cache", "comfyui-layer1-python"], ["store", "comfyui-layer5-perf"], ["image", "comfyui-publish-image"]]);
  assert.match(findings[0]?.problem ?? "", /lacks 1 of its store paths, such as \/nix\/store\/\w{32}-layer1-python$/);
  for (const { what, mend } of findings) assert.equal(mend, `pulumi up --yes --replace '**::${what}'`);
  const { ran } = await up(sandbox, { args: findings.flatMap(({ what }) => ["--replace", `**::${what}`]) });
  assert.deepEqual([...ran].sort(), findings.map(({ what }) => what).sort());
  const after = await outputs(sandbox);
  for (const name of ["layer1-python", "layer5-perf"]) assert.deepEqual([name, after.layers[name]?.built], [name, 0]);
  assert.equal(after.image.digest, before.image.digest);
  assert.deepEqual(await drift(), []);
});

test("a signature that is none, and another image under the tag", async () => {
  const file = narinfo("layer6-app");
  writeFileSync(file, readFileSync(file, "utf8").replace(/^Sig: ([^:]+):..../m, "Sig: $1:AAAA"));
  const index = sandbox.host(".local/images/index.json");
  writeFileSync(index, readFileSync(index, "utf8").replace(/("digest": ?"sha256:)[0-9a-f]{64}/, `$1${"0".repeat(64)}`));
  const findings = await drift();
  assert.deepEqual(findings.map(({ subject, what }) => [subject, what]), [["signature", "comfyui-layer6-app"], ["registry", "registry"]]);
});
