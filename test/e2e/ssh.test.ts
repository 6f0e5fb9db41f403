/** A build host over SSH: the real engine and sshd, on a machine of its own (another sandbox) behind a loopback port. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { outputs } from "../support/outputs.ts";
import { up } from "../support/pulumi.ts";
import { EMPTY_STORE, Sandbox } from "../support/sandbox.ts";
import { SshServer } from "../support/ssh-server.ts";
import { configure, configureSecrets } from "../support/stack-config.ts";
import { firstUp } from "../support/warm.ts";

const HOST = ["comfyui-build-host-ready", "comfyui-build-host-sources", "comfyui-build-host-upload"];

test("a first up over SSH builds on the host, from a machine whose store is empty", async () => {
  const { snapshot, update: local } = await firstUp();
  await using machine = await Sandbox.create({ store: snapshot.store });
  await using laptop = await Sandbox.create({ store: EMPTY_STORE });
  const server = await SshServer.start(machine);
  configure(laptop, { buildHost: server.asBuildHost() });
  await configureSecrets(laptop, { "buildHost.privateKey": server.privateKey });
  assert.deepEqual((await up(laptop)).ran, [...HOST, ...local.ran].sort());
  const first = await outputs(laptop);
  assert.equal(first.image.status, "published");
  assert.deepEqual((await up(laptop)).ran, []);
  assert.deepEqual(await outputs(laptop), first);
});
