/**
 * A cache host as the bootstrap makes it, with each server: who gets in and what they can do, and that every Nix takes from it
 * exactly what the build host signed.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { Agent, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { BootstrapSettings } from "../../infra/bootstrap.ts";
import { textFor } from "../../infra/bootstrap-text.ts";
import { parsePathInfos, signer } from "../../infra/ops/cache/path-info.ts";
import { makeSigningKey, startCacheHost } from "../support/cache-host.ts";
import type { Server } from "../support/cache-servers.ts";
import type { HostMachine } from "../support/host-machine.ts";
import { HostNetwork, makeKeyPair, type KeyPair } from "../support/host-network.ts";
import { otherNix, type Suite } from "../support/other-nix.ts";
import { type Result, run, type RunOptions } from "../support/process.ts";

const network = await HostNetwork.start();
after(() => network.stop());
const folder = await mkdtemp(join(tmpdir(), "comfyui-cache-host-"));
after(() => run("rm", ["-rf", folder]));

const key = await makeSigningKey(folder, "cache-1");
const otherKey = await makeSigningKey(folder, "other-1");
const READER = { user: "reader", password: "read-secret" };

/** What the build host has: a store of its own in a folder, in which each path but the first refers to the one before. */
const built = join(folder, "built");
const NIX_CONFIG = "experimental-features = nix-command flakes\nsubstituters =\nsandbox-paths = /bin/sh=/bin/bash /lib=/usr/lib /lib64=/usr/lib64\nbuild-users-group =\nconnect-timeout = 5\n";
const nix = (args: readonly string[], options: RunOptions & { readonly path?: string } = {}): Promise<Result> =>
  run("nix", args, { ...options, env: { ...(process.env as Record<string, string>), NIX_CONFIG, ...(options.path ? { PATH: `${options.path}:${process.env.PATH}` } : {}), ...options.env } });

const COUNT = 12;
/** Input-addressed paths, which are trusted by their signatures alone. */
const CHAIN = `
  let
    path = number: derivation {
      name = "path-\${toString number}"; system = builtins.currentSystem; builder = "/bin/sh"; outputs = [ "out" ];
      below = if number == 0 then "" else path (number - 1);
      args = [ "-c" "echo \$below; for i in {1..20000}; do echo \$i-\$RANDOM; done >\$out; echo \$below >>\$out" ];
    };
  in path ${COUNT - 1}`;

async function closure(top: string): Promise<string[]> {
  return (await nix(["path-info", "--store", built, "--recursive", top])).stdout.trim().split("\n");
}

const top = (await nix(["build", "--store", built, "--no-link", "--impure", "--print-out-paths", "--expr", CHAIN])).stdout.trim();
const paths = await closure(top);
await nix(["store", "sign", "--store", built, "--recursive", "--key-file", key.file, top]);
const unsigned = (await nix(["build", "--store", built, "--no-link", "--impure", "--print-out-paths", "--expr", `derivation { name = "unsigned"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo unsigned >$out" ]; }`])).stdout.trim();

/** Copies to the cache with its push key, as the build host does. */
async function push(machine: HostMachine, pair: KeyPair, wanted: readonly string[], options: RunOptions & { readonly path?: string } = {}): Promise<Result> {
  const NIX_SSHOPTS = (await machine.sshArguments(pair.file)).join(" ");
  return nix(["copy", "--from", built, "--to", `ssh://comfyui-push@${machine.address}`, ...wanted], { ...options, env: { NIX_SSHOPTS } });
}

const netrc = async (machine: HostMachine, { user, password } = READER) => {
  const file = join(folder, `netrc-${machine.name}`);
  await writeFile(file, `machine ${machine.address} login ${user} password ${password}\n`, { mode: 0o600 });
  return file;
};

interface Client {
  readonly path?: string;
  readonly trusted?: string;
  readonly into: string;
  readonly netrc?: string;
}

/** Copies from the cache into a new store that takes only what a key signed. */
async function take(machine: HostMachine, wanted: string, client: Client, options: RunOptions = {}): Promise<Result> {
  const { path, trusted = key.public, into, netrc: file = "/dev/null" } = client;
  const settings = ["--option", "require-sigs", "true", "--option", "trusted-public-keys", trusted, "--option", "netrc-file", file];
  return nix(["copy", "--from", `http://${machine.address}`, "--to", into, ...settings, wanted], { ...options, ...(path ? { path } : {}) });
}

async function holdsAll(store: string, wanted: readonly string[]): Promise<void> {
  const { stdout } = await nix(["path-info", "--store", store, "--all"]);
  const there = new Set(stdout.trim().split("\n"));
  assert.deepEqual(wanted.filter((path) => !there.has(path)), []);
  await nix(["store", "verify", "--store", store, "--all", "--sigs-needed", "1", "--option", "trusted-public-keys", key.public]);
}

const pins = async (machine: HostMachine) => (await machine.bash("cd /nix/var/nix/gcroots/comfyui && find . -type l | sort")).stdout.trim().split("\n").filter(Boolean);

async function whoGetsIn(machine: HostMachine, pair: KeyPair): Promise<void> {
  const ask = async (command: string, more: readonly string[] = []) =>
    machine.ssh(command, { user: "comfyui-push", key: pair.file, arguments: more, allowFailure: true });
  const refused = async (command: string, code = "CACHE_KEY_LIMITED") => {
    const { code: exit, stdout, stderr } = await ask(command);
    assert.deepEqual([exit, stdout], [1, ""], command);
    assert.match(stderr, new RegExp(`^error\\[${code}\\]: .*\n( .*\n)* {2}fix: `, "m"), command);
  };
  const commands = ["", "bash", "cat /etc/passwd", "nix-store --serve", "nix-store --serve --write; id", "nix-store --serve --write --store /x", "nix-daemon --stdio",
    "nix-store -q --roots /nix", "nix build", "pin", "PIN a b", " pin a b", "scp -t /tmp", "/usr/lib/openssh/sftp-server"];
  for (const command of commands) await refused(command);
  for (const name of ["../x", "/x", "a//b", "a/", ".a", "a/../../b", "a;id", "$HOME", "a*", "-r", "x".repeat(301)]) await refused(`pin ${name} ${top}`, "CACHE_PIN_NAME");
  for (const path of ["", "/etc/passwd", unsigned, `${top}/x`, "/nix/store", `${top} /etc/passwd`]) await refused(`pin a/b ${path}`, "CACHE_PIN_PATH");
  assert.deepEqual(await pins(machine), []);

  // No terminal, no forwarding of any kind, no file transfer, and no environment of the caller's.
  const terminal = await ask("pin", ["-tt"]);
  assert.match(terminal.stderr, /PTY allocation request failed/);
  const forward = await machine.ssh("", { user: "comfyui-push", key: pair.file, arguments: ["-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22"], allowFailure: true, timeout: 20_000 });
  assert.match(forward.stderr, /remote port forwarding failed/);
  const through = await machine.ssh("", { user: "comfyui-push", key: pair.file, arguments: ["-W", "127.0.0.1:5000"], allowFailure: true, timeout: 20_000 });
  assert.match(through.stderr, /administratively prohibited|open failed/);
  const transfer = await run("sftp", ["-b", "-", ...(await machine.sshArguments(pair.file)).slice(2), `comfyui-push@${machine.address}`], { input: "get /etc/passwd", allowFailure: true });
  assert.notEqual(transfer.code, 0);

  // What nobody signed is refused, and nothing is built, whatever may be cheap to build.
  const refusal = await push(machine, pair, [unsigned], { allowFailure: true });
  assert.notEqual(refusal.code, 0);
  assert.match(refusal.stderr, /lacks a (valid )?signature|is not signed by/);
  const NIX_SSHOPTS = (await machine.sshArguments(pair.file)).join(" ");
  for (const attributes of ["", "preferLocalBuild = true;", 'outputHash = "0000000000000000000000000000000000000000000000000000"; outputHashAlgo = "sha256";']) {
    const expression = `derivation { name = "built-there"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo hi >$out" ]; ${attributes} }`;
    const build = await nix(["build", "--no-link", "--impure", "--store", `ssh://comfyui-push@${machine.address}`, "--eval-store", built, "--expr", expression], { allowFailure: true, env: { NIX_SSHOPTS } });
    assert.notEqual(build.code, 0, attributes);
  }
  assert.deepEqual((await machine.bash("ls /nix/store")).stdout.split("\n").filter((name) => /-(built-there|unsigned)$/.test(name)), []);

  // Reading is for those who have the password.
  const url = `http://${machine.address}`;
  for (const path of ["nix-cache-info", `${top.slice(11, 43)}.narinfo`, "nar/x.nar", "log/x.drv"]) {
    for (const headers of [{}, { authorization: `Basic ${btoa("reader:wrong")}` }] as const) {
      assert.equal((await fetch(`${url}/${path}`, { headers })).status, 401, path);
    }
  }
  const info = await fetch(`${url}/nix-cache-info`, { headers: { authorization: `Basic ${btoa(`${READER.user}:${READER.password}`)}` } });
  assert.equal(await info.text(), "StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 50\n");
  const wrong = await take(machine, top, { into: join(folder, "never"), netrc: await netrc(machine, { ...READER, password: "wrong" }) }, { allowFailure: true });
  assert.match(wrong.stderr, /401/);

  // Nothing listens but sshd, Caddy, and the server on the loopback; the password is nowhere in clear.
  const { stdout } = await machine.bash("ss -Hltun | awk '{print $1, $5}' | grep -v 127.0.0.11: | sort -u");
  assert.deepEqual(stdout.trim().split("\n"), ["tcp *:80", "tcp 0.0.0.0:22", "tcp 127.0.0.1:5000", "tcp [::]:22"]);
  assert.equal((await machine.bash(`grep -rlF ${READER.password} /etc /usr/local /var /nix /home /root /tmp || [ $? -eq 1 ]`)).stdout, "");
  const { stdout: owners } = await machine.bash("for port in 80 5000; do id -nu $(ss -Hltne \"sport = :$port\" | sed -n 's/.* uid:\\([0-9]*\\).*/\\1/p'); done");
  assert.equal(owners, "caddy\ncomfyui-cache\n");
  assert.equal((await machine.bash("setpriv --reuid=comfyui-cache --regid=comfyui-cache --init-groups sh -c 'rm -f /nix/var/nix/db/db.sqlite; mv /nix/var/nix/db/schema /nix/var/nix/db/x; echo x >/nix/var/nix/db/db.sqlite' 2>/dev/null || stat -c %U /nix/var/nix/db/db.sqlite /nix/var/nix/db/schema")).stdout, "root\nroot\n");
}

async function pinning(machine: HostMachine, pair: KeyPair): Promise<void> {
  const [one = "", two = "", three = ""] = paths;
  const base = (path: string) => path.slice(11);
  const pin = (command: string) => machine.ssh(command, { user: "comfyui-push", key: pair.file });
  await pin(`pin dev/layers/layer6-app/0f1e ${one} ${two}`);
  await pin(`pin dev/images/t-1 ${two}`);
  await pin(`pin dev/layers/layer6-app/0f1e ${two} ${three}`);
  assert.deepEqual(await pins(machine), [`./dev/images/t-1/${base(two)}`, ...[two, three].map((path) => `./dev/layers/layer6-app/0f1e/${base(path)}`).sort()]);
  await machine.bash("nix-collect-garbage 2>/dev/null");
  const needed = new Set([...(await closure(two)), ...(await closure(three))]);
  const { stdout } = await machine.bash("ls -d /nix/store/*-path-*");
  assert.deepEqual(stdout.trim().split("\n").sort(), [...needed].sort(), "the pinned paths with their closures, and no others");
}

/** What clients rely on, one request after the other on a connection that is kept. */
async function protocol(machine: HostMachine): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (path: string, method = "GET") => {
    const asked = request(`http://${machine.address}/${path}`, { method, agent, auth: `${READER.user}:${READER.password}` }).end();
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    return { status: answer.statusCode, length: Number(answer.headers["content-length"]), body: Buffer.concat(await answer.toArray()), again: asked.reusedSocket };
  };
  const [hash, name] = [top.slice(11, 43), `${top.slice(11, 43)}.narinfo`];
  const [held] = Object.values(JSON.parse((await nix(["path-info", "--json", "--store", built, top])).stdout) as Record<string, { narHash: string; narSize: number; references: string[]; signatures: string[] }>);
  const { body, status } = await ask(name);
  const [info = assert.fail(`${body}`)] = parsePathInfos(body.toString());
  assert.deepEqual([status, info.path, info.narSize, info.references, info.signatures], [200, top.slice(11), held?.narSize, held?.references.map((path) => path.slice(11)), held?.signatures]);
  assert.ok(signer([key.public])(info), "by its own account of the path's hash");
  for (const [path, length] of [[name, body.length], [info.url, info.narSize]] as const) {
    const head = await ask(path, "HEAD");
    assert.deepEqual([head.status, head.body.length], [200, 0], path);
    const { body: whole, ...got } = await ask(path);
    assert.deepEqual([got.status, got.length, whole.length, got.again], [200, length, length, true], path);
    if (path === info.url) assert.equal(`sha256-${createHash("sha256").update(whole).digest("base64")}`, held?.narHash);
  }
  const none = "0".repeat(32);
  const other = info.narHash.slice("sha256:".length).replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
  for (const path of [`${none}.narinfo`, info.url.replace(hash, none), info.url.replace(info.narHash.slice("sha256:".length), other), "nothing"]) {
    for (const method of ["HEAD", "GET"]) assert.equal((await ask(path, method)).status, 404, `${method} ${path}`);
  }
  assert.deepEqual((await ask(name)).body, body);
  agent.destroy();
}

async function everyNix(machine: HostMachine): Promise<void> {
  const login = await netrc(machine);
  for (const [suite, version] of Object.entries({ bookworm: / 2\.8\./, trixie: / 2\.26\./, sid: / 2\.(3[4-9]|[4-9]\d)\./ })) {
    const client = { path: await otherNix(suite as Suite) };
    assert.match((await nix(["--version"], client)).stdout, version);
    const into = join(folder, `${machine.name}-${suite}`);
    const wrong = await take(machine, top, { ...client, into, netrc: login, trusted: otherKey.public }, { allowFailure: true });
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.stderr, /lacks a (valid )?signature|is not signed by|not trusted/, suite);
    await take(machine, top, { ...client, into, netrc: login });
    await holdsAll(into, paths);
  }
}

async function fifty(machine: HostMachine): Promise<void> {
  const login = await netrc(machine);
  const stores = Array.from({ length: 50 }, (_, number) => join(folder, `${machine.name}-fifty/${number}`));
  await Promise.all(stores.map((into) => take(machine, top, { into, netrc: login })));
  for (const store of stores) await holdsAll(store, paths);
  await run("rm", ["-rf", join(folder, `${machine.name}-fifty`)]);
}

/** Larger than what fits into 31 bits. */
async function largePath(machine: HostMachine, pair: KeyPair): Promise<void> {
  const file = join(folder, "large");
  await run("bash", ["-euo", "pipefail", "-c", 'head -c 100M /dev/urandom >"$1.part"; for _ in {1..22}; do cat "$1.part"; done >"$1"; rm "$1.part"', "large", file]);
  const large = (await nix(["store", "add", "--store", built, "--mode", "flat", file])).stdout.trim();
  await run("rm", [file]);
  await nix(["store", "sign", "--store", built, "--key-file", key.file, large]);
  await push(machine, pair, [large]);
  await nix(["store", "delete", "--store", built, large]);
  const into = join(folder, `${machine.name}-large`);
  await take(machine, large, { into, netrc: await netrc(machine) });
  await holdsAll(into, [large]);
  await run("rm", ["-rf", into]);
}

async function fullDisk(machine: HostMachine, pair: KeyPair): Promise<void> {
  await machine.bash("fallocate -l $(( $(df --output=avail -B1 /nix | tail -1) - 300 * 1048576 )) /nix/filler");
  const { code, stderr } = await push(machine, pair, [top], { allowFailure: true });
  assert.notEqual(code, 0);
  assert.match(stderr, /error\[CACHE_DISK_FULL\]: [^]*found: +\d+ MiB free of \d+ MiB\n +expected: at least \d+ MiB free/);
  await machine.bash("rm /nix/filler");
}

async function anotherStack(machine: HostMachine, settings: BootstrapSettings): Promise<void> {
  const trusted = async () => [
    (await machine.bash("cat /etc/ssh/comfyui/comfyui-push")).stdout.trim().split("\n").length,
    (await machine.bash("sed -n 's/^trusted-public-keys = //p' /etc/nix/nix.conf")).stdout.trim().split(" ").sort(),
  ];
  const setUp = async (stack: string, publicKey: string, name: string, { before = "" } = {}) => {
    const pushKeys = [(await makeKeyPair(folder, `${machine.name}-${name}`)).public];
    return machine.ssh("bash -s", { input: before + textFor({ ...settings, stack, publicKeys: [publicKey], pushKeys }), allowFailure: before !== "" });
  };
  await setUp("other", otherKey.public, "a");
  assert.deepEqual(await trusted(), [2, [key.public, otherKey.public].sort()]);
  const { code } = await setUp("other", key.public, "lost", { before: `mv() { [[ "$*" != *pushKeys/other ]] || kill -9 $$; command mv "$@"; }\n` });
  assert.notEqual(code, 0);
  await setUp("other", key.public, "b");
  assert.deepEqual(await trusted(), [2, [key.public]], "a stack's former keys go");
}

for (const server of ["nix-serve", "harmonia"] satisfies Server[]) {
  test(`${server}: pushes, pins and reads are exactly what they may be, for every Nix and for 50 clients at once`, async (t) => {
    const { machine, push: pair, settings } = await startCacheHost(network, { name: server, server, key, diskMiB: 6000, settings: { auth: READER } });
    await t.test("who gets in", () => whoGetsIn(machine, pair));
    await t.test("a nearly full disk takes nothing more", () => fullDisk(machine, pair));
    await t.test("what is signed is taken, by each Nix", async () => {
      for (const path of [await otherNix("bookworm"), await otherNix("trixie")]) await push(machine, pair, paths.slice(0, 3), { path });
      await push(machine, pair, [top]);
    });
    await t.test("it answers as a binary cache", () => protocol(machine));
    await t.test("every Nix takes it, with signatures required", () => everyNix(machine));
    if (server === "harmonia") await t.test("a path of more than 2 GB", () => largePath(machine, pair));
    await t.test("50 clients at once lose nothing", () => fifty(machine));
    await t.test("what is pinned stays, and what no pin names goes", () => pinning(machine, pair));
    await t.test("another stack brings its own keys, and takes none away", () => anotherStack(machine, settings));
    await machine.remove();
  });
}
