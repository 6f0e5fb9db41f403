/** command:remote:Command and CopyToRemote, by the command plugin under test, with real SSH servers: a host, and one to jump over. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { once } from "node:events";
import { copied, fileAsset, local, remote, secret, stdoutOf } from "../support/command-stack.ts";
import { conforms } from "../support/conformance.ts";
import { freePort } from "../support/ports.ts";
import { type Running, run, start } from "../support/process.ts";
import { EMPTY_STORE, Sandbox } from "../support/sandbox.ts";
import { keyPair, SshServer } from "../support/ssh-server.ts";

let machine: Sandbox;
let server: SshServer;
let jump: SshServer;
let folder: string;
let agent: { readonly running: Running; readonly socket: string };

before(async () => {
  machine = await Sandbox.create({ store: EMPTY_STORE });
  [server, jump] = [await SshServer.start(machine), await SshServer.start(machine)];
  folder = mkdtempSync(join(tmpdir(), "comfyui-agent-"));
  agent = await startAgent();
});
after(async () => {
  await agent?.running.stop();
  rmSync(folder, { recursive: true, force: true });
  await machine?.stop();
});

/** An SSH agent that has the server's key. */
async function startAgent(): Promise<typeof agent> {
  const [socket, key] = [join(folder, "agent"), join(folder, "key")];
  writeFileSync(key, server.privateKey, { mode: 0o600 });
  const running = start("ssh-agent", ["-D", "-a", socket]);
  await running.outputMatches(/SSH_AUTH_SOCK/);
  await run("ssh-add", ["-q", key], { env: { ...(process.env as Record<string, string>), SSH_AUTH_SOCK: socket } });
  return { running, socket };
}

const address = (to: SshServer) => ({ host: "127.0.0.1", port: to.port, hostKey: to.hostKey });
const connection = (more: Parameters<typeof remote>[0] = {}) => ({ ...address(server), privateKey: server.privateKey, ...more });
const home = (name: string) => join(server.home, name);

conforms("a command runs in the login shell, with its input; the state has the connection as a secret, and the private key in it once more", async (stack) => {
  const lines = { create: "cat; echo in $PWD >&2; echo ran >> ran", delete: "echo gone > gone" };
  const args = { ...lines, stdin: stdoutOf("before"), addPreviousOutputInEnv: false, logging: "stderr" };
  const resources = { before: local({ create: "echo hello" }), there: remote({ ...args, connection: connection() }) };
  await stack.up(resources);
  const { there } = await stack.state();
  const kept = { ...connection(), user: "root", dialErrorLimit: 10, perDialTimeout: 15, privateKey: secret(server.privateKey) };
  assert.match(there?.id ?? "", /^there[0-9a-f]{8}$/);
  assert.deepEqual(there?.inputs, { ...args, stdin: "hello", connection: secret(kept) });
  assert.deepEqual(there?.outputs, { ...there?.inputs, stdout: "hello", stderr: `in ${machine.at}/home` });
  assert.deepEqual(await stack.preview(resources), {});
  await stack.up(resources);
  assert.equal(readFileSync(home("ran"), "utf8"), "ran\n");
  await stack.up({});
  assert.equal(readFileSync(home("gone"), "utf8"), "gone\n");
});

conforms("a change of the connection is an update", async (stack) => {
  await stack.up({ moved: remote({ create: "echo ran >> moved", connection: connection() }) });
  const changed = { moved: remote({ create: "echo ran >> moved", connection: connection({ dialErrorLimit: 2 }) }) };
  assert.deepEqual(await stack.preview(changed), { moved: { op: "update", diff: { connection: "update" } } });
  await stack.up(changed);
  assert.equal(readFileSync(home("moved"), "utf8"), "ran\nran\n");
});

conforms("a failed command is an error with its end, its line and its words", async (stack) => {
  const failing = async (line: string) => (await stack.failing({ fails: remote({ create: line, connection: connection() }) })).stdout;
  assert.match(await failing("echo why >&2; exit 3"), /error: Process exited with status 3: running "echo why >&2; exit 3":\n +why\n/);
  assert.match(await failing("kill -9 $$"), /error: Process exited with status 137 from signal KILL: running/);
});

conforms("a connection that is cut is an error that says so", async (stack) => {
  const running = stack.startUp({ cut: remote({ create: "echo begun; sleep 100", connection: connection() }) });
  await running.outputMatches(/ begun\n/);
  await server.cut();
  // It went with the other one: their processes have one name.
  await jump.stop();
  for (const each of [server, jump]) await each.resume();
  const { stdout } = await running.done;
  assert.match(stdout, /error: wait: remote command exited without exit status or exit signal: running/);
});

conforms("after Ctrl-C a remote command goes on to its end, which the state has", async (stack) => {
  rmSync(home("go-on"), { force: true });
  const running = stack.startUp({ lasting: remote({ create: "echo begun; until [ -e go-on ]; do sleep 0.05; done; echo done", connection: connection() }) });
  await running.outputMatches(/ begun\n/);
  running.signal("SIGINT");
  await running.outputMatches(/[Cc]ancelling/);
  writeFileSync(home("go-on"), "");
  await running.done;
  assert.equal((await stack.state())["lasting"]?.outputs["stdout"], "begun\ndone");
});

conforms("through a jump host, whose login and key are its own", async (stack) => {
  const proxy = { ...address(jump), privateKey: jump.privateKey };
  const through = (more: object) => ({ through: remote({ create: "echo arrived", connection: connection({ proxy: { ...proxy, ...more } }) }) });
  await stack.up(through({}));
  const { through: state } = await stack.state();
  assert.equal(state?.outputs["stdout"], "arrived");
  const filled = { user: "root", dialErrorLimit: 10, perDialTimeout: 15 };
  const kept = { ...proxy, ...filled, privateKey: secret(jump.privateKey) };
  assert.deepEqual(state?.inputs["connection"], secret({ ...connection(), ...filled, privateKey: secret(server.privateKey), proxy: kept }));
  assert.match((await stack.failing(through({ hostKey: server.hostKey, dialErrorLimit: 0 }))).stdout, /error: proxy: /);
  assert.match((await stack.failing(through({ privateKey: server.privateKey, dialErrorLimit: 0 }))).stdout, /error: proxy: /);
});

conforms("by an SSH agent: that of the environment, or that of the connection", async (stack) => {
  const by = (more: object) => ({ by: remote({ create: `echo ${JSON.stringify(Object.keys(more))}`, connection: { ...address(server), ...more } }) });
  const running = stack.startUp(by({}), { SSH_AUTH_SOCK: agent.socket });
  assert.equal((await running.done).code, 0, running.output().stdout);
  await stack.up(by({ agentSocketPath: agent.socket }));
});

conforms("another host key, and a login that is refused, run nothing", async (stack) => {
  const other = await keyPair(stack.path("keys"));
  for (const more of [{ hostKey: other.public.split(" ").slice(0, 2).join(" ") }, { privateKey: other.secret }]) {
    await stack.failing({ wrong: remote({ create: "touch wrong", connection: connection({ ...more, dialErrorLimit: 0 }) }) });
  }
  assert.ok(!existsSync(home("wrong")));
});

conforms("another host key, and a login that is refused, are told at once, whatever the limit", async (stack) => {
  const other = await keyPair(stack.path("keys"));
  const limit = { dialErrorLimit: 3 };
  const hostKey = other.public.split(" ").slice(0, 2).join(" ");
  const mismatch = await stack.failing({ wrong: remote({ create: "true", connection: connection({ ...limit, hostKey }) }) });
  assert.match(mismatch.stdout, /error\[HOST_KEY_MISMATCH\]: root@127\.0\.0\.1 .*\n +found: +SHA256:\S+ \(ssh-ed25519\)\n +expected: SHA256:/);
  const refused = await stack.failing({ wrong: remote({ create: "true", connection: connection({ ...limit, privateKey: other.secret }) }) });
  assert.match(refused.stdout, /error\[HOST_LOGIN_REFUSED\]: root@127\.0\.0\.1/);
}, "final errors retried");

conforms("an agent that is not there is nothing to a connection with a private key", async (stack) => {
  const running = stack.startUp({ beside: remote({ create: "true", connection: connection() }) }, { SSH_AUTH_SOCK: stack.path("no-agent") });
  assert.equal((await running.done).code, 0, running.output().stdout);
}, "agent beside a key");

conforms("a host that does not answer is tried as often as the limit says", async (stack) => {
  const port = await freePort();
  const { stdout } = await stack.failing({ nobody: remote({ create: "true", connection: connection({ port, dialErrorLimit: 2 }) }) });
  assert.match(stdout, /Dial 1\/2 failed: retrying/);
  assert.match(stdout, /Dial 2\/2 failed: retrying/);
  assert.match(stdout, /error: after 2 failed attempts: .*(refused|REFUSED)/);
});

conforms("a server that says nothing is given up after perDialTimeout", async (stack) => {
  const silent = createServer(() => undefined).listen(0, "127.0.0.1");
  await once(silent, "listening");
  try {
    const { port } = silent.address() as { port: number };
    const { stdout } = await stack.failing({ silent: remote({ create: "true", connection: connection({ port, perDialTimeout: 1, dialErrorLimit: 0 }) }) });
    assert.match(stdout, /error: after 0 failed attempts: Timed out/);
  } finally {
    silent.close();
  }
}, "silent server");

conforms("a remote command ends when the time of its customTimeouts is over", async (stack) => {
  const { stdout } = await stack.failing({ slow: remote({ create: "exec sleep 300", connection: connection() }, { customTimeouts: { create: "1s" } }) });
  assert.match(stdout, /error: the time of its customTimeouts is over: running "exec sleep 300"/);
}, "remote time limit");

conforms("a line of 1 MB is shown by its beginning and kept whole", async (stack) => {
  await stack.up({ line: remote({ create: "head -c 1000000 /dev/zero | tr '\\0' x", connection: connection() }) });
  assert.equal((await stack.state())["line"]?.outputs["stdout"], "x".repeat(1_000_000));
}, "long lines");

conforms("10 MB of output are kept whole", async (stack) => {
  await stack.up({ much: remote({ create: "yes 0123456789abcde | head -c 10000000", logging: "none", connection: connection() }) });
  assert.equal((await stack.state())["much"]?.outputs["stdout"], "0123456789abcde\n".repeat(625_000).trimEnd());
  await stack.up({});
});

conforms("wrong inputs are told all at once, by their paths; a connection needs a host key", async (stack) => {
  const wrong = { host: "127.0.0.1", port: 70_000, perDialTimeout: "1", password: secret("pass-word"), proxy: { host: "127.0.0.1", hostKey: "none" } };
  const { stdout } = await stack.failing({ wrong: remote({ create: "true", connection: wrong }) });
  assert.match(stdout, /connection\.hostKey is missing/);
  assert.match(stdout, /connection\.port expected a whole number from 1 to 65535/);
  assert.match(stdout, /connection\.perDialTimeout expected a whole number/);
  assert.match(stdout, /connection\.password is no input/);
  assert.match(stdout, /connection\.proxy\.hostKey expected TYPE BASE64/);
  assert.doesNotMatch(stdout, /pass-word/);
}, "host key left out");

conforms("a copy comes with its folders, again when its content or its place changes, and with nothing else", async (stack) => {
  const file = stack.path("file.txt");
  const up = (path: string, more: object = {}) => stack.up({ copy: copied({ source: fileAsset(file), remotePath: path, connection: connection(), ...more }) });
  writeFileSync(file, "one");
  await up("up/load/copy.txt");
  const { copy } = await stack.state();
  assert.match(copy?.id ?? "", /^[0-9a-f]{8}$/);
  assert.deepEqual(copy?.outputs, copy?.inputs);
  assert.equal(readFileSync(home("up/load/copy.txt"), "utf8"), "one");

  writeFileSync(file, "two");
  const changed = { copy: copied({ source: fileAsset(file), remotePath: "up/load/copy.txt", connection: connection() }) };
  assert.deepEqual(await stack.preview(changed), { copy: { op: "update", diff: { source: "update" } } });
  await up("up/load/copy.txt");
  assert.equal(readFileSync(home("up/load/copy.txt"), "utf8"), "two");

  // A connection that has changed copies nothing.
  rmSync(home("up/load/copy.txt"));
  await up("up/load/copy.txt", { connection: connection({ dialErrorLimit: 3 }) });
  assert.ok(!existsSync(home("up/load/copy.txt")));
  await up("up/load/copy.txt", { triggers: ["again"] });
  assert.equal(readFileSync(home("up/load/copy.txt"), "utf8"), "two");

  mkdirSync(home("folder"), { recursive: true });
  await up("folder", { triggers: ["again"] });
  assert.equal(readFileSync(home("folder/file.txt"), "utf8"), "two");
  await stack.up({});
  assert.ok(existsSync(home("folder/file.txt")), "what was copied stays");
});

conforms("a copy of 20 MB is whole; one that cannot be written is an error", async (stack) => {
  const file = stack.path("large");
  writeFileSync(file, Buffer.alloc(20_000_000, "0123456789abcdef-"));
  await stack.up({ large: copied({ source: fileAsset(file), remotePath: "large", connection: connection() }) });
  assert.ok(readFileSync(home("large")).equals(readFileSync(file)));
  const { stdout } = await stack.failing({ denied: copied({ source: fileAsset(file), remotePath: "/proc/nothing/large", connection: connection() }) });
  assert.match(stdout, /error: .*\/proc\/nothing/);
});

conforms("anything but a file is no source of a copy", async (stack) => {
  const { stdout } = await stack.failing({ text: copied({ source: "a text", remotePath: "text", connection: connection() }) });
  assert.match(stdout, /source expected a FileAsset, found a value of type string/);
}, "inputs not used here");
