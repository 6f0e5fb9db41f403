/** A layer that does not build: what is said, what is kept, what runs all the same, and what is left for the next `up`. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { setCheck } from "../support/layer-edits.ts";
import { outputs } from "../support/outputs.ts";
import { preview, up, type Update } from "../support/pulumi.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

const REASON = "the reason why this layer cannot be built";

const FAILING = `for line in 1 2 3; do echo "before the end $line" >&2; done; echo "${REASON}" >&2; exit 3`;

/** The error that the failed layer's command ended with, as a person reads it. */
function errorOf(update: Update, resource: string): string {
  const said = update.diagnostics.filter((each) => each.resource === resource && each.severity === "error");
  assert.equal(said.length, 1, `errors of ${resource}`);
  return said[0]?.message ?? "";
}

/** All records of finished builds of a layer, by fingerprint. */
function records(sandbox: Sandbox, layer: string): string[] {
  const folder = sandbox.host(`.local/host/records/${layer}`);
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** The request on record for a layer in the stack's state; undefined where it has none. */
async function recorded(sandbox: Sandbox, layer: string): Promise<string | undefined> {
  const { stdout } = await sandbox.run("pulumi", ["stack", "export"]);
  const { deployment } = JSON.parse(stdout) as { deployment: { resources?: { urn: string; inputs?: { stdin?: string } }[]; pending_operations?: unknown[] } };
  assert.deepEqual(deployment.pending_operations ?? [], [], "a failed command leaves nothing pending");
  return deployment.resources?.find(({ urn }) => urn.endsWith(`::comfyui-${layer}`))?.inputs?.stdin;
}

async function assertFailure(sandbox: Sandbox, update: Update): Promise<void> {
  assert.equal(update.result, "failed");
  assert.equal(update.process.code, 1, "pulumi's exit code");
  const failed = [...update.resources.values()].filter((each) => each.failed).map(({ name }) => name);
  assert.deepEqual(failed, ["comfyui-layer4-deps"]);

  const error = errorOf(update, "comfyui-layer4-deps");
  const [, log = ""] = /error\[LAYER_BUILD_FAILED\]: layer4-deps did not build \(log: ([^)]+)\)/.exec(error) ?? [];
  assert.match(error, /\n {2}found: [^]*before the end 3[^]*the reason why this layer cannot be built[^]*\n {2}fix: /, "the last lines of the build");
  assert.match(update.process.stdout, /error\[LAYER_BUILD_FAILED\]: layer4-deps did not build/, "a person sees it too");
  assert.match(readFileSync(sandbox.host(log), "utf8"), new RegExp(`layer4-deps-check> ${REASON}`), `the log ${log}`);
}

test("a layer that does not build names itself, the reason and its log; what does not depend on it runs; up goes on from there", async (t) => {
  await using sandbox = await warmSandbox();
  const before = { records: records(sandbox, "layer4-deps"), request: await recorded(sandbox, "layer4-deps"), image: (await outputs(sandbox)).image };
  setCheck(sandbox.host("layers"), "layer3-pytorch", "true");
  setCheck(sandbox.host("layers"), "layer4-deps", FAILING);

  await t.test("the failing up", async () => {
    const update = await up(sandbox, { allowFailure: true });
    await assertFailure(sandbox, update);
    assert.deepEqual(update.ran, ["comfyui-layer3-pytorch", "comfyui-layer4-deps", "comfyui-layer5-perf"], "not layer6-app, not publish");
    const done = ["comfyui-layer3-pytorch", "comfyui-layer5-perf"].map((name) => update.resources.get(name));
    assert.ok(done.every((each) => each?.ended !== undefined && !each.failed), "the layer before it and the one beside it are done");
  });

  await t.test("nothing is on record for it, and the published image is the old one", async () => {
    assert.deepEqual(records(sandbox, "layer4-deps"), before.records);
    assert.equal(await recorded(sandbox, "layer4-deps"), before.request);
    assert.equal(records(sandbox, "layer5-perf").length, 2);
    const index = JSON.parse(readFileSync(sandbox.host(".local/images/index.json"), "utf8")) as { manifests: { digest: string }[] };
    assert.deepEqual(index.manifests.map(({ digest }) => digest), [before.image.digest]);
  });

  await t.test("without a fix it fails again, and only it runs", async () => {
    const update = await up(sandbox, { allowFailure: true });
    await assertFailure(sandbox, update);
    assert.deepEqual(update.ran, ["comfyui-layer4-deps"]);
  });

  await t.test("after the fix only what is left runs", async () => {
    const left = ["comfyui-layer4-deps", "comfyui-layer6-app", "comfyui-publish-image"];
    setCheck(sandbox.host("layers"), "layer4-deps", "true");
    assert.deepEqual([...(await preview(sandbox)).rows.keys()].sort(), left);
    const update = await up(sandbox);
    assert.deepEqual([update.ran, update.process.code], [left, 0]);
    assert.notEqual((await outputs(sandbox)).image.digest, before.image.digest);
    assert.deepEqual((await up(sandbox)).ran, []);
  });
});

test("a first up that fails keeps what it finished: the next one makes only the rest", async () => {
  await using sandbox = await warmSandbox();
  // A new stack on a host that has all but one layer already, so that it takes seconds.
  rmSync(sandbox.host(".local/backend/.pulumi"), { recursive: true });
  setCheck(sandbox.host("layers"), "layer4-deps", FAILING);
  const failing = await up(sandbox, { allowFailure: true });
  await assertFailure(sandbox, failing);
  assert.equal(await recorded(sandbox, "layer4-deps"), undefined);

  setCheck(sandbox.host("layers"), "layer4-deps", "true");
  const update = await up(sandbox);
  assert.deepEqual(update.ran, ["comfyui-layer4-deps", "comfyui-layer6-app", "comfyui-publish-image"]);
  const { layers } = await outputs(sandbox);
  const reused = Object.entries(layers).filter(([, each]) => each.reused).map(([attr]) => attr);
  assert.deepEqual(reused.sort(), ["layer0-base", "layer1-python", "layer2-wheels", "layer3-pytorch", "layer5-perf"]);
});

test("a store path that two layers bring fails the image, naming the path, both layers and the remedy", async () => {
  await using sandbox = await warmSandbox();
  const published = readFileSync(sandbox.host(".local/images/index.json"), "utf8");
  const common = 'files."share/common" = pkgs.writeText "brought-by-two" "the same text in both";';
  for (const layer of ["layer4-deps", "layer5-perf"]) {
    const file = sandbox.host(`layers/${layer}/default.nix`);
    const text = readFileSync(file, "utf8").replace("{ files, ", "{ files, pkgs, ");
    writeFileSync(file, text.replace(/\}\n$/, `  ${common}\n}\n`));
  }
  const update = await up(sandbox, { allowFailure: true });
  assert.deepEqual(update.ran, ["comfyui-layer4-deps", "comfyui-layer5-perf", "comfyui-layer6-app", "comfyui-publish-image"]);
  const error = errorOf(update, "comfyui-publish-image");
  assert.match(error, /error\[LAYER_BUILD_FAILED\]: the image could not be put together \(log: [^)]+\)/);
  assert.match(error, /\/nix\/store\/[a-z0-9]{32}-brought-by-two\n.*is in layer4-deps and in layer5-perf/);
  assert.match(error, /fix: hoist what brings the path into a layer that both are on/);
  assert.equal(readFileSync(sandbox.host(".local/images/index.json"), "utf8"), published);
});
