/** `verify: container` by the build host's own Docker: the real provider over the real ssh, with the pinned host key and an agent's key. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pinnedTo } from "../../infra/verify/docker-host.ts";
import { assemble, type Cleanup } from "../support/cleanup.ts";
import { Docker } from "../support/docker.ts";
import { outputs } from "../support/outputs.ts";
import { run, start } from "../support/process.ts";
import { destroy, up } from "../support/pulumi.ts";
import { Registry } from "../support/registry.ts";
import { EMPTY_STORE, Sandbox } from "../support/sandbox.ts";
import { keyPair, SshServer } from "../support/ssh-server.ts";
import { configure } from "../support/stack-config.ts";
import { firstUp } from "../support/warm.ts";

/** An SSH agent of its own with this key; its socket's path. */
async function agent(folder: string, privateKey: string, cleanup: Cleanup): Promise<string> {
  const socket = join(folder, "agent.sock");
  const running = start("ssh-agent", ["-D", "-a", socket]);
  cleanup.add(() => running.stop());
  await running.outputMatches(/SSH_AUTH_SOCK/);
  await run("ssh-add", ["-q", "-"], { input: privateKey, env: { ...process.env, SSH_AUTH_SOCK: socket } as Record<string, string> });
  return socket;
}

test("the build host's Docker tries the image", async (t) => {
  await using docker = await Docker.start("newer");
  await using registry = await Registry.start();
  await using machine = await Sandbox.create({ store: (await firstUp()).snapshot.store, env: docker.env });
  await using laptop = await Sandbox.create({ store: EMPTY_STORE, env: { COMFYUI_HOST_PATIENCE: "3" } });
  const server = await SshServer.start(machine);
  const stack = (hostKey: string) => configure(laptop, { buildHost: { ...server.asBuildHost(), hostKey }, registry: { kind: "registry", repository: `${registry.address}/comfyui`, tls: false }, verify: { kind: "container", docker: { kind: "build-host" } } });
  await assemble(async (cleanup) => {
    t.after(() => cleanup.run());
    const env = { SSH_AUTH_SOCK: await agent(laptop.folder, server.privateKey, cleanup) };
    const inEngine = async (...args: string[]) => (await docker.run(args)).stdout.trim();

    await t.test("pulls it by its digest and runs it", async () => {
      stack(server.hostKey);
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

    await t.test("ssh refuses a host with another key than the pinned one", async () => {
      const other = (await keyPair(join(laptop.folder, "files/tmp"))).public.split(" ").slice(0, 2).join(" ");
      for (const [hostKey, code] of [[server.hostKey, 0], [other, 255]] as const) {
        const result = await run("ssh", [...pinnedTo(hostKey), "-p", `${server.port}`, "root@127.0.0.1", "docker", "version"], { env: { ...process.env, ...env } as Record<string, string>, allowFailure: true });
        assert.equal(result.code, code, result.stderr);
      }
    });
  });
});
