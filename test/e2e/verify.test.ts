/** `verify: container`: a real engine pulls the published image by digest and runs its smoke tests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Docker } from "../support/docker.ts";
import { outputs } from "../support/outputs.ts";
import { destroy, preview, up } from "../support/pulumi.ts";
import { Registry } from "../support/registry.ts";
import { configure } from "../support/stack-config.ts";
import { warmSandbox } from "../support/warm.ts";

test("an image is tried", async (t) => {
  await using sandbox = await warmSandbox();
  await using registry = await Registry.start();
  await using docker = await Docker.start("newer");
  const env = { DOCKER_CONFIG: docker.env["DOCKER_CONFIG"] as string };
  const registryConfig = { kind: "registry", repository: `${registry.address}/comfyui`, tls: false };
  const verify = { kind: "container", docker: { kind: "engine", address: docker.env["DOCKER_HOST"] } };
  configure(sandbox, { registry: registryConfig, verify });
  await t.test("passes", async () => {
    const update = await up(sandbox, { env, allowFailure: true });
    console.log(update.process.stdout, update.process.stderr, update.ran);
    console.log((await outputs(sandbox)).image);
    console.log((await docker.run(["ps", "-a"])).stdout, (await docker.run(["images", "--digests"])).stdout);
  });
  await t.test("noop", async () => {
    const update = await up(sandbox, { env, allowFailure: true });
    console.log(update.process.stdout, update.ran);
    console.log(JSON.stringify(await preview(sandbox, { env }), null, 1).slice(0, 3000));
  });
  await t.test("destroy", async () => {
    const update = await destroy(sandbox, { env, allowFailure: true });
    console.log(update.process.stdout);
    console.log((await docker.run(["ps", "-a"])).stdout, (await docker.run(["images", "--digests"])).stdout);
    assert.ok(true);
  });
});
