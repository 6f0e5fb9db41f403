/** What README and quickstart tell people to type, typed: the build without Pulumi, and the command that runs the image. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Docker } from "../support/docker.ts";
import { firstAnswer } from "../support/http.ts";
import { outputs } from "../support/outputs.ts";
import { prefetchedStore } from "../support/prefetched-store.ts";
import { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

const NIX_ALONE = "nix run path:./layers#build-incremental";

test("build-incremental builds the image without Pulumi, layer by layer, and says what it took", async (t) => {
  await using sandbox = await Sandbox.create({ store: await prefetchedStore() });
  const { stdout } = await sandbox.bash(NIX_ALONE, { timeout: 20 * 60_000 });
  const rows = [...stdout.matchAll(/^(\S+) +built (\d+), fetched (\d+) +(-|[\d.]+ MB) +\d+ s$/gm)].map(([, name, ...numbers]) => ({ name, numbers }));
  await using warm = await warmSandbox();
  const { layers, image } = await outputs(warm);
  assert.deepEqual(rows.map(({ name }) => name), [...Object.keys(layers).sort(), "comfyui"], stdout);
  for (const { name, numbers: [built, fetched, size] } of rows) {
    assert.ok(Number(built) > 0 && fetched === "0", `${name} was built`);
    assert.equal(size === "-", name === "layer2-wheels", `${name}: ${size}`);
  }
  await t.test("it is the image that pulumi up makes", () => assert.match(stdout, new RegExp(`^digest ${image.digest}$`, "m")));
  assert.deepEqual(readdirSync(sandbox.host(".local/backend")), [], "Pulumi was not asked");
  await t.test("again: nothing to do", async () => {
    const again = await sandbox.bash(NIX_ALONE);
    assert.equal([...again.stdout.matchAll(/nothing to do/g)].length, rows.length, again.stdout);
  });
});

/** Runs quickstart in a stack that is up, and answers the command it prints. */
async function printedCommand(sandbox: Sandbox, env: Readonly<Record<string, string>>): Promise<string> {
  const { stdout } = await sandbox.run("node", ["infra/quickstart.ts"], { env });
  assert.match(stdout, /^Nothing to do: everything is built and published \(\d+ s\)\.$/m);
  const [, command] = /^Run it, then open http:\/\/127\.0\.0\.1:8188\n {2}(.+)$/m.exec(stdout) ?? [];
  assert.ok(command, stdout);
  return command;
}

/** Types the command in the project's folder and opens the address that quickstart names. */
async function assertRuns(sandbox: Sandbox, command: string, env: Readonly<Record<string, string>>): Promise<void> {
  const running = sandbox.start("bash", ["-c", command], { env });
  try {
    const response = await firstAnswer("http://127.0.0.1:8188/system_stats", () => running.output().stderr);
    assert.equal(response.status, 200);
    const { devices } = (await response.json()) as { devices: { type: string }[] };
    assert.equal(devices[0]?.type, "cpu");
    assert.ok(!running.ended, "it is this command's server that answered");
  } finally {
    await running.stop();
  }
}

test("the command that quickstart prints runs the image as printed: with Docker", async () => {
  await using sandbox = await warmSandbox();
  await using docker = await Docker.start();
  const command = await printedCommand(sandbox, docker.env);
  assert.match(command, /docker run .*--read-only/);
  await assertRuns(sandbox, command, docker.env);
});

test("the command that quickstart prints runs the image as printed: on a machine without containers", async () => {
  await using sandbox = await warmSandbox();
  // As a shell answers where there is no such program.
  const folder = `${sandbox.at}/tmp/absent`;
  mkdirSync(sandbox.host(folder));
  for (const name of ["docker", "podman"]) writeFileSync(sandbox.host(`${folder}/${name}`), "#!/bin/sh\nexit 127\n", { mode: 0o755 });
  const env = { PATH: `${folder}:${sandbox.env["PATH"]}` };
  const command = await printedCommand(sandbox, env);
  assert.match(command, /^PATH=\/nix\/store\/\S+-layer6-app\/bin:\$PATH comfyui /);
  await assertRuns(sandbox, command, env);
});
