/**
 * A bare Debian 12 with this checkout and nothing beside it: no Node.js, npm, Go, Nix or Pulumi, and only the package registries can be
 * reached. One command sets it up and does the whole quickstart; a second checkout takes what the first one kept.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CHECKOUT, projectFiles } from "../support/checkout.ts";
import { bareDebianImage, packageSettings } from "../support/debian-image.ts";
import { HostMachine } from "../support/host-machine.ts";
import { HostNetwork } from "../support/host-network.ts";
import { type NameServer, startNameServer } from "../support/name-server.ts";
import { run } from "../support/process.ts";
import { registryHosts } from "../support/registries.ts";
import { keptTools } from "../support/set-up.ts";
import { testCache } from "../support/test-cache.ts";

const downloads = join(testCache(), "bare-machine/downloads");
/** Where Pulumi's own pieces are, which this machine is not to have. */
const DOWNLOAD_SITE = "get.pulumi.com";

let network: HostNetwork;
let names: NameServer;
let machine: HostMachine;

/** What this machine's own set-up has built from Go modules is not built once more for the tests. */
async function handEngineOver(): Promise<void> {
  const name = keptTools().find((each) => /^pulumi-[\d.]+-built$/.test(each.name));
  if (name === undefined || existsSync(join(downloads, "tools", name.name))) return;
  await run("cp", ["-a", name.folder, join(downloads, "tools", name.name)]);
}

async function copyCheckout(at: string): Promise<void> {
  const files = (await projectFiles(CHECKOUT)).map((file) => `${file}\0`).join("");
  await machine.copyIn(at, ["-C", CHECKOUT, "--owner=0", "--group=0", "--null", "--files-from=-"], { input: files });
}

/** As a newcomer's shell does it; what it says and takes. */
async function quickstart(checkout: string) {
  const env = { ...packageSettings(), HOME: "/root", COMFYUI_DOWNLOADS: "/downloads" };
  return machine.run(["bash", "infra/npm.sh", "run", "quickstart"], { cwd: checkout, env, timeout: 40 * 60_000 });
}

const digestOf = (stdout: string) => /^Digest +(sha256:\S+)$/m.exec(stdout)?.[1] ?? assert.fail(`no digest in:\n${stdout}`);

before(async () => {
  await mkdir(join(downloads, "tools"), { recursive: true });
  await handEngineOver();
  network = await HostNetwork.start((docker) => bareDebianImage(docker, "bookworm"));
  const registries = await registryHosts();
  names = await startNameServer(network.gateway, (name) => registries.some((host) => name === host || name.endsWith(`.${host}`)));
  machine = await HostMachine.start(network, { name: "bare", sshd: false, volumes: { "/downloads": downloads }, nameServer: network.gateway });
});
after(async () => {
  await network?.stop();
  await names?.[Symbol.asyncDispose]();
});

let digest: string;

test("set-up and quickstart from nothing, by one command without npm", async (t) => {
  const { stdout } = await machine.run(["bash", "-c", "for each in node npm go nix pulumi python3 curl git; do type -P $each || :; done"]);
  assert.equal(stdout, "");
  await copyCheckout("/root/checkout");
  const first = await quickstart("/root/checkout");
  const standIn = ["language host", "plugin command"].map((piece) => new RegExp(`^${piece} .*stand-in \\(infra/pulumi\\)`, "m"));
  for (const row of [/^pulumi .*built from its Go modules/m, ...standIn, /^nix +2\.26\.\S+ +Debian trixie/m, /^Ready after \d+ s/m]) {
    assert.match(first.stdout, row);
  }
  digest = digestOf(first.stdout);
  assert.ok(names.refused.has(DOWNLOAD_SITE), "Pulumi's site was asked for, and is not reached here");
  t.diagnostic(`${first.seconds.toFixed(0)} s; names that were asked for and are no registries: ${[...names.refused].join(", ")}`);
});

test("a second checkout takes what the first one kept", async (t) => {
  await copyCheckout("/root/second");
  const { stdout, stderr, seconds } = await quickstart("/root/second");
  assert.doesNotMatch(stderr, /fetching|compiling|unpacking/);
  assert.match(stdout, /^pulumi .*found$/m);
  assert.equal(digestOf(stdout), digest);
  t.diagnostic(`${seconds.toFixed(0)} s`);
});
