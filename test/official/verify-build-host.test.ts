/** `verify: container` by the build host's own Docker: the real provider over the real ssh, with the pinned host key and an agent's key. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assemble } from "../support/cleanup.ts";
import { Docker } from "../support/docker.ts";
import { installDockerPlugin } from "../support/docker-plugin.ts";
import { outputs } from "../support/outputs.ts";
import { destroy, up } from "../support/pulumi.ts";
import { Registry } from "../support/registry.ts";
import { EMPTY_STORE, Sandbox } from "../support/sandbox.ts";
import { startAgent } from "../support/ssh-agent.ts";
import { SshServer } from "../support/ssh-server.ts";
import { configure } from "../support/stack-config.ts";
import { firstUp } from "../support/warm.ts";

test("the build host's Docker tries the image", async (t) => {
  await using docker = await Docker.start("newer");
  await using registry = await Registry.start();
  await using machine = await Sandbox.create({ store: (await firstUp()).snapshot.store, env: docker.env });
  await using laptop = await Sandbox.create({ store: EMPTY_STORE, env: { COMFYUI_HOST_PATIENCE: "3" } });
  installDockerPlugin(laptop);
  const server = await SshServer.start(machine);
  configure(laptop, {
    buildHost: server.asBuildHost(),
    registry: { kind: "registry", repository: `${registry.address}/comfyui`, tls: false },
    verify: { kind: "container", docker: { kind: "build-host" } },
  });
  await assemble(async (cleanup) => {
    t.after(() => cleanup.run());
    const env = { SSH_AUTH_SOCK: await startAgent(laptop.folder, server.privateKey, cleanup) };
    const inEngine = async (...args: string[]) => (await docker.run(args)).stdout.trim();

    await t.test("pulls it by its digest and runs it", async () => {
      const { process } = await up(laptop, { env });
      assert.match(process.stdout, /verify: passed: layer6-app/);
      const { image } = await outputs(laptop);
      assert.equal(await inEngine("ps", "--all", "--format", "{{.State}}"), "exited");
      assert.equal(await inEngine("images", "--digests", "--format", "{{.Digest}}"), image.digest);
    });

    await t.test("nothing changed: nothing runs; all is gone with the stack", async () => {
      assert.deepEqual((await up(laptop, { env })).ran, []);
      await destroy(laptop, { env });
      assert.equal((await inEngine("ps", "--all", "--quiet")) + (await inEngine("images", "--quiet")), "");
    });
  });
});
