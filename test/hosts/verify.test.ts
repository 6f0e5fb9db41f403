/** `verify: container` by the build host's own Docker: the way there, by the real ssh with the pinned host key and an agent's key. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { protocol } from "../../infra/request.ts";
import { pinnedTo } from "../../infra/verify/docker-host.ts";
import { verifyText } from "../../infra/verify.ts";
import { assemble } from "../support/cleanup.ts";
import { Docker } from "../support/docker.ts";
import { assertFault } from "../support/host-scripts.ts";
import { run } from "../support/process.ts";
import { EMPTY_STORE, Sandbox } from "../support/sandbox.ts";
import { startAgent } from "../support/ssh-agent.ts";
import { keyPair, SshServer } from "../support/ssh-server.ts";

test("the build host's Docker", async (t) => {
  await using docker = await Docker.start();
  await using machine = await Sandbox.create({ store: EMPTY_STORE, env: docker.env });
  const server = await SshServer.start(machine);
  await assemble(async (cleanup) => {
    t.after(() => cleanup.run());
    const env = { ...process.env, SSH_AUTH_SOCK: await startAgent(machine.folder, server.privateKey, cleanup) } as Record<string, string>;
    const ssh = (hostKey: string, command: string[], input = "") => run("ssh", [...pinnedTo(hostKey), "-p", `${server.port}`, "root@127.0.0.1", ...command], { env, input, allowFailure: true });

    await t.test("ssh refuses a host with another key than the pinned one", async () => {
      const other = (await keyPair(join(machine.folder, "files/tmp"))).public.split(" ").slice(0, 2).join(" ");
      for (const [hostKey, code] of [[server.hostKey, 0], [other, 255]] as const) {
        const result = await ssh(hostKey, ["docker", "version"]);
        assert.equal(result.code, code, result.stderr);
      }
    });

    await t.test("the script asks the engine that the host's user has, without being told where it is", async () => {
      const image = `127.0.0.1:9/comfyui@sha256:${"0".repeat(64)}`;
      const result = await ssh(server.hostKey, ["exec", "bash", "-s"], verifyText({ protocol, docker: null, image, step: "pull" }));
      assertFault(result, "VERIFY_PULL", [`could not pull ${image}`, "127.0.0.1:9"]);
    });
  });
});
