/**
 * Set-up on a fresh copy of the checkout, in a folder with a space in its name: cold, again, and on machines that lack
 * something. The copy shares the machine's Nix store, and the real downloads are used.
 */
import assert from "node:assert/strict";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import { CHECKOUT, copyProject } from "../support/checkout.ts";
import { using } from "../support/cleanup.ts";
import { descendants } from "../support/proc-tree.ts";
import { type Result, run, sendSignal, start } from "../support/process.ts";

const folder = mkdtempSync(join(tmpdir(), "setup "));
const copy = join(folder, "a check'out");
const NOBODY = "65534";
/** As a newcomer's shell: nothing of this project on PATH, no settings of it. */
const systemPath = (process.env["PATH"] ?? "").split(delimiter).filter((entry) => !entry.startsWith(`${CHECKOUT}/`)).join(delimiter);
const bundle = process.env["COMFYUI_TOOLCHAIN"] ?? join(CHECKOUT, "../shared/toolchain");
const downloads = process.env["COMFYUI_DOWNLOADS"] ?? join(CHECKOUT, ".local/downloads");

function environment(more: Record<string, string> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PULUMI_|NIX_CONFIG|COMFYUI_|npm_|INIT_CWD|NODE_)/.test(name));
  return { ...(Object.fromEntries(kept) as Record<string, string>), PATH: systemPath, COMFYUI_TOOLCHAIN: bundle, COMFYUI_DOWNLOADS: downloads, ...more };
}

interface SetUpOptions {
  readonly env?: Record<string, string>;
  readonly user?: string;
  readonly allowFailure?: boolean;
  readonly args?: readonly string[];
}

function setUp({ env = {}, user, allowFailure = false, args: more = [] }: SetUpOptions = {}): Promise<Result> {
  const command = ["bash", "infra/setup.sh", ...more];
  const [program = "bash", ...args] = user === undefined ? command : ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", ...command];
  return run(program, args, { cwd: copy, env: environment(env), allowFailure });
}

const codes = (text: string) => [...text.matchAll(/error\[(\w+)\]/g)].map(([, code]) => code);
const git = async (...args: string[]) => (await run("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", ...args], { cwd: copy })).stdout;
const sourced = async (code: string, env: Record<string, string> = {}) => (await run("sh", ["-c", `. .local/env.sh && ${code}`], { cwd: copy, env: environment(env) })).stdout;

/** A folder of links to everything on PATH but these programs. */
function pathWithout(name: string, missing: readonly string[]): string {
  const farm = join(folder, name);
  mkdirSync(farm);
  for (const entry of systemPath.split(delimiter).filter((each) => existsSync(each))) {
    for (const file of readdirSync(entry)) {
      if (!missing.includes(file) && !existsSync(join(farm, file))) symlinkSync(join(entry, file), join(farm, file));
    }
  }
  return farm;
}

/** Gives the copy to another user for a while. */
async function ownedBy(user: string, use: () => Promise<void>): Promise<void> {
  await run("chown", ["-R", `${user}:${user}`, copy]);
  await use().finally(() => run("chown", ["-R", "0:0", copy]));
}

/** A Nix daemon of our own on the machine's store, with this line in its configuration. */
async function withDaemon(line: string, use: (socket: string) => Promise<void>): Promise<void> {
  const home = mkdtempSync(join(folder, "daemon-"));
  chmodSync(home, 0o755);
  const env = { ...environment(), NIX_DAEMON_SOCKET_PATH: join(home, "socket"), NIX_CONF_DIR: home, NIX_CONFIG: `build-users-group =\n${line}` };
  await using(start(join(copy, ".local/bin/nix-daemon"), ["--daemon"], { env }), async () => {
    const end = Date.now() + 10_000;
    while (!existsSync(env.NIX_DAEMON_SOCKET_PATH) && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    await use(env.NIX_DAEMON_SOCKET_PATH);
  });
}

before(async () => {
  chmodSync(folder, 0o755);
  // The folder of the whole test run, which an unprivileged user has to pass through.
  if (process.env["COMFYUI_TEST_RUN"] !== undefined) chmodSync(process.env["COMFYUI_TEST_RUN"], 0o711);
  await copyProject(CHECKOUT, copy);
  await git("init", "--quiet");
  await git("add", "--all");
  await git("commit", "--quiet", "--message", "as checked out");
});

after(() => rmSync(folder, { recursive: true, force: true }));

test("cold: installs what is missing, says so, and changes no tracked file", async () => {
  const { stdout } = await setUp();
  for (const tool of ["node", "npm packages", "pulumi", "nix", "plugin command", "stack local", "layers' files"]) {
    assert.match(stdout, new RegExp(`^${tool} .*(found|installed)`, "m"));
  }
  assert.match(stdout, /Ready after/);
  assert.equal(await git("status", "--porcelain"), "");
  assert.equal(statSync(join(copy, ".local/passphrase")).mode & 0o777, 0o600);
});

test("again: everything is there, and nothing is installed", async (t) => {
  const { stdout, seconds } = await setUp();
  assert.match(stdout, /Everything is there/);
  assert.doesNotMatch(stdout, /installed/);
  t.diagnostic(`${seconds.toFixed(1)} s`);
});

test("the environment: tools that fit together, and PATH that does not grow", async () => {
  const versions = await sourced("node --version && pulumi version && nix --version && pulumi stack ls --json");
  assert.match(versions, /^v(2[2-9]|[3-9]\d)\..*\nv3\..*\nnix \(Nix\) 2\.\d+.*\n[^]*"name": "local"/);
  const once = await sourced('printf %s "$PATH"');
  assert.equal(await sourced('. .local/env.sh && printf %s "$PATH"'), once);
  assert.ok(once.startsWith(join(copy, ".local/bin:")), once);
  const { stderr } = await run("sh", ["-c", ". .local/env.sh && pulumi plugin ls"], { cwd: copy, env: environment() });
  assert.equal(stderr, "");
});

test("a checkout that was moved is set right by the next run", async () => {
  const elsewhere = join(folder, "moved");
  renameSync(copy, elsewhere);
  try {
    await run("bash", ["infra/setup.sh"], { cwd: elsewhere, env: environment() });
    const { stdout } = await run("sh", ["-c", ". .local/env.sh && nix --version && node --version && pulumi stack ls"], { cwd: elsewhere, env: environment() });
    assert.match(stdout, /^nix .*\nv\d+.*\n[^]*local/);
  } finally {
    renameSync(elsewhere, copy);
  }
  await setUp();
});

test("--no-nix: a machine without Nix and without the tools of builds can preview", async () => {
  const [local, away] = [join(copy, ".local"), join(copy, ".local.away")];
  renameSync(local, away);
  mkdirSync(local);
  // Installing Node.js has been shown, and takes longest.
  moveIfThere(join(away, "node"), join(local, "node"));
  try {
    const env = { PATH: pathWithout("no-nix", ["nix", "nix-build", "nix-store", "nix-instantiate", "skopeo", "jq", "zstd", "python3", "dpkg-deb"]) };
    const { stdout } = await setUp({ env, args: ["--no-nix"] });
    assert.match(stdout, /^nix .*left out \(--no-nix\)$/m);
    assert.match(stdout, /&& pulumi preview$/m);
    assert.match(await sourced("type nix || pulumi preview --diff --non-interactive", env), /^(nix: not found|.*nix.*not found)[^]*layer6-app[^]*\+ 13 to create/);
  } finally {
    moveIfThere(join(local, "node"), join(away, "node"));
    rmSync(local, { recursive: true });
    renameSync(away, local);
  }
});

test("no Pulumi anywhere: says what was tried, and the rest is set up so that Nix alone can build", async () => {
  const nixOnly = join(folder, "nix-only");
  mkdirSync(nixOnly);
  for (const file of readdirSync(join(copy, ".local/bin")).filter((name) => name.startsWith("nix"))) symlinkSync(join(CHECKOUT, ".local/bin", file), join(nixOnly, file));
  for (const name of ["bin/pulumi", "pulumi-cli", "toolchain"]) moveIfThere(join(copy, ".local", name), join(copy, ".local", `${name}.away`));
  const path = `${nixOnly}:${pathWithout("no-pulumi", ["pulumi"])}`;
  // A proxy that nobody answers: the download is tried, and fails at once.
  const { code, stdout, stderr } = await setUp({ env: { PATH: path, COMFYUI_TOOLCHAIN: join(folder, "none"), https_proxy: "http://127.0.0.1:9" }, allowFailure: true });
  assert.notEqual(code, 0);
  assert.deepEqual(codes(stderr), ["SETUP_NO_ENGINE"]);
  assert.match(stderr, /PATH: no pulumi; bundle: none .*none \(COMFYUI_TOOLCHAIN\); download: 3\.\d+\.\d+ from https:\/\/get\.pulumi\.com/);
  assert.match(stderr, /nix run path:\.\/layers#build-incremental/);
  assert.match(stdout, /^nix .*found/m);
  assert.match(stdout, /^layers' files .*found/m);
  assert.match(await sourced("nix eval --raw path:./layers#apps.x86_64-linux.build-incremental.program", { PATH: path }), /^\/nix\/store\//);
  await setUp();
});

function moveIfThere(from: string, to: string): void {
  if (existsSync(from)) renameSync(from, to);
}

test("as an unprivileged user on a machine that lacks several things: all are named at once, with the command", async () => {
  await ownedBy(NOBODY, async () => {
    const env = { PATH: pathWithout("no-tools", ["skopeo", "zstd", "sudo"]), HOME: copy, NIX_DAEMON_SOCKET_PATH: join(folder, "no-socket") };
    const { code, stderr } = await setUp({ user: NOBODY, env, allowFailure: true });
    assert.notEqual(code, 0);
    assert.deepEqual(codes(stderr), ["SETUP_TOOLS_MISSING", "SETUP_NIX_STORE"]);
    assert.match(stderr, /sudo apt-get install -y --no-install-recommends (\S+ )*skopeo (\S+ )*zstd$/m);
    assert.match(stderr, /the Nix store cannot be written by nobody, and no Nix daemon answers/);
  });
});

test("a daemon that does not trust the user: the line to add, and nothing is built; with the line, set-up ends well", async () => {
  await ownedBy(NOBODY, async () => {
    const options = (socket: string) => ({ user: NOBODY, env: { HOME: copy, TMPDIR: "/tmp", NIX_DAEMON_SOCKET_PATH: socket, COMFYUI_DOWNLOADS: join(copy, ".local/downloads") } });
    await withDaemon("", async (socket) => {
      const { code, stderr } = await setUp({ ...options(socket), allowFailure: true });
      assert.notEqual(code, 0);
      assert.deepEqual(codes(stderr), ["SETUP_NIX_UNTRUSTED"]);
      assert.match(stderr, /add this line to \/etc\/nix\/nix\.conf: extra-trusted-users = nobody /);
    });
    await withDaemon("extra-trusted-users = nobody", async (socket) => {
      const { stdout } = await setUp(options(socket));
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
  const { stdout } = await run("sh", ["-c", ". .local/env.sh && env -0"], { cwd: copy, env: environment() });
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
    // The engine's helpers outlive it.
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
