/** A build host that several stacks bootstrap in turn: each finds there what it needs, whoever came last. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { BootstrapSettings } from "../../infra/bootstrap.ts";
import { textFor } from "../../infra/bootstrap-text.ts";
import { HostMachine } from "../support/host-machine.ts";
import { HostNetwork, makeKeyPair } from "../support/host-network.ts";

const network = await HostNetwork.start();
after(() => network.stop());

type Needs = Awaited<ReturnType<typeof needs>>;

/** What a stack needs of a build host: a cache with a key and a password, an older key, a builder, and a login. `owner`: the stack by which cache and builder are named. */
async function needs(stack: string, key: string, owner = stack) {
  const login = await makeKeyPair(network.folder, `login-${key}`);
  const publicKey = `${key}:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=`;
  const settings = {
    role: "build",
    stack,
    authorizedKeys: [login.public],
    substituters: [{ url: `http://${owner}.test`, publicKey }],
    trustedPublicKeys: [publicKey.replace(":", "-older:")],
    netrc: [{ machine: `${owner}.test`, login: "reader", password: key }],
    builders: [{ host: `builder.${owner}.test`, port: 22, hostKey: `ssh-ed25519 ${key}`, systems: ["x86_64-linux"], maxJobs: 1, speedFactor: 1, features: [] }],
    minFreeGiB: 1,
    maxFreeGiB: 2,
    volume: null,
    bucketNix: null,
  } satisfies BootstrapSettings;
  return { login, settings };
}

const bootstrap = (machine: HostMachine, settings: BootstrapSettings) => machine.ssh("bash -s", { input: textFor(settings) });

const linesOf = async (machine: HostMachine, command: string) => (await machine.bash(command)).stdout.trim().split("\n");

/** The host has what these stacks need, in this order, and nothing else. */
async function hasExactly(machine: HostMachine, ...stacks: readonly Needs[]): Promise<void> {
  const all = stacks.map(({ settings }) => settings);
  const { stdout } = await machine.ssh("nix config show --json", { user: "comfyui", key: stacks[0]?.login.file ?? "" });
  const config = JSON.parse(stdout) as Record<string, { value: readonly string[] }>;
  assert.deepEqual(config["substituters"]?.value, all.flatMap(({ substituters }) => substituters.map(({ url }) => url)));
  const keys = all.flatMap(({ substituters, trustedPublicKeys }) => [...substituters.map(({ publicKey }) => publicKey), ...trustedPublicKeys]);
  assert.deepEqual(config["trusted-public-keys"]?.value, keys.sort());
  assert.deepEqual(await linesOf(machine, "cat /etc/nix/netrc"), all.flatMap(({ netrc }) => netrc.map(({ machine: name, login, password }) => `machine ${name} login ${login} password ${password}`)));
  const builders = all.flatMap((each) => each.builders);
  assert.deepEqual(await linesOf(machine, "cat /etc/nix/builders_known_hosts"), builders.map(({ hostKey }, at) => `comfyui-builder-${at} ${hostKey}`));
  assert.deepEqual(await linesOf(machine, "cut -d ' ' -f 1 /etc/nix/machines | sed 's,.*/,,' | xargs -n 1 ssh -G | sed -n 's/^hostname //p'"), builders.map(({ host }) => host));
  // Root's keys open it too.
  const admin = (await linesOf(machine, "cat /root/.ssh/authorized_keys")).map((line) => line.split(" ")[1]);
  const logins = (await linesOf(machine, "cat /etc/ssh/comfyui/comfyui")).map((line) => line.split(" ")[1]).filter((key) => !admin.includes(key));
  assert.deepEqual(logins.sort(), stacks.map(({ login }) => login.public.split(" ")[1]).sort());
  for (const { login } of stacks) await machine.ssh("true", { user: "comfyui", key: login.file });
}

test("stacks that share a build host", async (t) => {
  await using machine = await HostMachine.start(network, { name: "shared" });
  const [older, one, two] = [await needs("one", "one-1"), await needs("one", "one-2"), await needs("two", "two-1")];

  await t.test("a host of an earlier version, which knew of no stacks, keeps nothing of then", async () => {
    await bootstrap(machine, older.settings);
    await machine.bash("rm -r /etc/comfyui");
    await hasExactly(machine, older);
    await bootstrap(machine, one.settings);
    await hasExactly(machine, one);
  });

  await t.test("another stack takes none of the first one's away, nor the first one the other's", async () => {
    await bootstrap(machine, two.settings);
    await hasExactly(machine, one, two);
    assert.equal((await bootstrap(machine, one.settings)).stderr, "", "nothing is to be done");
    await hasExactly(machine, one, two);
  });

  await t.test("passwords are for root and the reader alone", async () => {
    assert.deepEqual(await linesOf(machine, "stat -c '%a %U:%G' /etc/comfyui/stacks/* /etc/nix/netrc"), ["600 root:root", "600 root:root", "640 root:comfyui"]);
    assert.deepEqual(await linesOf(machine, "grep -rlE '\\b(one-2|two-1)\\b' /etc --exclude-dir=ssh | xargs grep -lE 'password' | sort"), ["/etc/comfyui/stacks/one.json", "/etc/comfyui/stacks/two.json", "/etc/nix/netrc"]);
  });

  const three = await needs("one", "one-3");
  await t.test("what a stack no longer needs goes, also what a killed run had begun to write", async () => {
    await machine.bash("cd /etc/comfyui/stacks; cp one.json .new.AbCdEf; echo '{' >.new.GhIjKl");
    await bootstrap(machine, three.settings);
    await hasExactly(machine, three, two);
  });

  await t.test("of two passwords of one cache and two keys of one builder the last bootstrap's are right; both caches' keys are trusted", async () => {
    const four = await needs("one", "one-4", "two");
    await bootstrap(machine, four.settings);
    const trusted = [...two.settings.substituters.map(({ publicKey }) => publicKey), ...two.settings.trustedPublicKeys];
    await hasExactly(machine, four, { ...two, settings: { ...two.settings, substituters: [], trustedPublicKeys: trusted, netrc: [], builders: [] } });
  });

  await t.test("Nix's daemon reads buckets while one stack wants it, and a stack's broken Nix is no other's trouble", async () => {
    const daemon = "sed -n 's/^ExecStart=@//p' /etc/systemd/system/nix-daemon.service.d/comfyui.conf";
    const wanting = { ...three.settings, bucketNix: { path: "/opt/nix", nixpkgs: "github:NixOS/nixpkgs", daemon: true } };
    await assert.rejects(bootstrap(machine, wanting), /BOOTSTRAP_NIX_BUCKETS/);
    await bootstrap(machine, two.settings);
    assert.deepEqual(await linesOf(machine, daemon), [""]);
    await machine.bash("mkdir -p /opt/nix/bin && ln -s /usr/bin/nix /usr/bin/nix-daemon /opt/nix/bin");
    await bootstrap(machine, wanting);
    await bootstrap(machine, two.settings);
    assert.deepEqual(await linesOf(machine, daemon), ["/nix/var/nix/gcroots/comfyui-nix/bin/nix-daemon nix-daemon --daemon"]);
    await bootstrap(machine, three.settings);
    assert.deepEqual(await linesOf(machine, daemon), [""]);
  });
});
