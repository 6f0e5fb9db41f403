/**
 * A build host over SSH: the real engine and sshd. The machine is another sandbox, behind a loopback port, with a store of its
 * own; where pulumi runs there is no Nix store. The tests go on from each other's state.
 */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, rmSync, statSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { publicLineOf } from "../../infra/ssh/host-key.ts";
import { setCheck } from "../support/layer-edits.ts";
import { outputs } from "../support/outputs.ts";
import { destroy, preview, recover, stackOutput, startUp, type StartedUpdate, up, type Update } from "../support/pulumi.ts";
import { EMPTY_STORE, Sandbox } from "../support/sandbox.ts";
import { keyPair, SshServer } from "../support/ssh-server.ts";
import { configure, configureSecrets } from "../support/stack-config.ts";
import { firstUp } from "../support/warm.ts";

const HOST = ["comfyui-build-host-ready", "comfyui-build-host-sources", "comfyui-build-host-upload"];
const EDITED = ["comfyui-build-host-sources", "comfyui-build-host-upload", "comfyui-layer6-app", "comfyui-publish-image"];

let machine: Sandbox;
let laptop: Sandbox;
let server: SshServer;
let everything: string[];

before(async () => {
  const { snapshot, update } = await firstUp();
  everything = [...HOST, ...update.ran].sort();
  machine = await Sandbox.create({ store: snapshot.store });
  laptop = await Sandbox.create({ store: EMPTY_STORE, env: { COMFYUI_HOST_PATIENCE: "3" } });
  server = await SshServer.start(machine);
  await useHost(laptop, server);
});

after(async () => {
  await laptop?.stop();
  await machine?.stop();
});

async function useHost(sandbox: Sandbox, host: SshServer, more: Record<string, unknown> = {}): Promise<void> {
  configure(sandbox, { buildHost: { ...host.asBuildHost(), ...more } });
  await configureSecrets(sandbox, { "buildHost.privateKey": host.privateKey });
}

let edits = 0;
/** Another layer 6, whose check takes this long. */
function edit(seconds = 0): { sleepers(): number } {
  const duration = `${seconds}.0${++edits}`;
  setCheck(laptop.host("layers"), "layer6-app", `sleep ${duration}`);
  return { sleepers: () => machine.processes(new RegExp(`^sleep ${duration.replace(".", "\\.")}$`)).length };
}

/** Starts an `up` of an edit and waits until its check runs on the host. */
async function building(seconds: number): Promise<{ started: StartedUpdate; sleepers(): number }> {
  const { sleepers } = edit(seconds);
  const started = await startUp(laptop, { allowFailure: true });
  while (!started.running.ended && sleepers() === 0) await sleep(10);
  assert.equal(sleepers(), 1, started.running.output().stdout);
  return { started, sleepers };
}

/** What was reported of a run that failed: one fault with this code, and no stack trace. */
function assertFailed({ process: { code, stdout } }: Update, fault: string): void {
  assert.notEqual(code, 0, stdout);
  const [, report = ""] = stdout.split("Diagnostics:");
  assert.equal(report.split(`error[${fault}]`).length - 1, 1, stdout);
  assert.match(report, /^ +fix: {6}\S/m);
  assert.doesNotMatch(report, /^ +at |Unhandled|Error:/m);
}

test("a first up builds on the host, from a machine whose store is empty", async () => {
  assert.deepEqual((await up(laptop)).ran, everything);
  const { image, layers } = await outputs(laptop);
  assert.equal(image.status, "published");
  assert.ok(existsSync(`${machine.nix(layers["layer6-app"]?.storePath ?? "")}`));
  assert.ok(!existsSync(laptop.host("images")));
  assert.ok((statSync(`${server.home}/comfyui/local/.local`).mode & 0o77) === 0, "the stack's state is its user's alone");
});

test("a second up runs nothing; a preview needs no host", async () => {
  const first = await outputs(laptop);
  const again = await up(laptop);
  assert.deepEqual(again.ran, []);
  assert.deepEqual(await outputs(laptop), first);
  await server.stop();
  assert.equal((await preview(laptop)).rows.size, 0);
  await server.resume();
});

test("neither state nor configuration nor logs hold the private key", async () => {
  const lines = server.privateKey.split("\n").filter((line) => line.length > 20 && !line.startsWith("---"));
  const { stdout: exported } = await laptop.run("pulumi", ["stack", "export"]);
  const files = globSync(["stacks/*", ".local/backend/.pulumi/**", ".local/upload/*", "../tmp/events-*"], { cwd: laptop.host(), withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`, "utf8"));
  assert.ok(files.length > 4);
  for (const text of [exported, ...files]) assert.deepEqual(lines.filter((line) => text.includes(line)), []);
});

/** A host script of the operators' commands is run over SSH too. */
async function drift(): Promise<{ code: number | null; findings: readonly { subject: string; what: string; problem: string; mend: string }[] }> {
  const { code, stdout } = await laptop.run("node", ["infra/ops.ts", "drift", "--json"], { allowFailure: true });
  return { code, ...(JSON.parse(stdout) as { findings: [] }) };
}

test("the operators' commands: the host's key, and the text that sets up the stack's build host; OPS_ROLE for a cache that is no machine", async () => {
  const ops = (...args: string[]) => laptop.run("node", ["infra/ops.ts", ...args], { allowFailure: true });
  assert.equal((await ops("host", "key", "127.0.0.1", "--port", String(server.port))).stdout.trim(), server.hostKey);
  const { stdout: text } = await ops("host", "bootstrap", "build", "--stack", "local");
  const [, settings = ""] = /^SETTINGS=\$\(cat <<'SETTINGS'\n(.*)\nSETTINGS$/m.exec(text) ?? [];
  assert.deepEqual((JSON.parse(settings) as Record<string, unknown>)["authorizedKeys"], [publicLineOf(server.privateKey)]);
  const { stderr, code } = await ops("host", "bootstrap", "cache", "--stack", "local");
  assert.equal(code, 1);
  assert.match(stderr, /^error\[OPS_ROLE\]: comfyui:binaryCache\.kind: .*\n {2}found: {4}directory\n {2}expected: nix-serve/);
  assert.deepEqual(await drift(), { code: 0, findings: [] });
});

test("an edit sends the sources and runs the layers that it reaches, no others", async () => {
  edit();
  const names = [...(await preview(laptop)).rows.keys()].sort();
  const { ran } = await up(laptop);
  assert.deepEqual(ran, EDITED);
  assert.deepEqual(names, ran);
});

test("HOST_KEY_MISMATCH and HOST_LOGIN_REFUSED come at once, HOST_UNREACHABLE when the patience is over; nothing is lost", async () => {
  const other = await keyPair(`${laptop.folder}/files/keys`);
  await useHost(laptop, server, { hostKey: other.public });
  // More patience than the test has itself.
  const atOnce = { env: { COMFYUI_HOST_PATIENCE: "3600" }, allowFailure: true };
  assertFailed(await up(laptop, atOnce), "HOST_KEY_MISMATCH");
  await useHost(laptop, server);
  await configureSecrets(laptop, { "buildHost.privateKey": other.secret });
  assertFailed(await up(laptop, atOnce), "HOST_LOGIN_REFUSED");
  await useHost(laptop, server);
  await server.stop();
  edit();
  const down = await up(laptop, { allowFailure: true });
  assertFailed(down, "HOST_UNREACHABLE");
  assert.match(down.process.stdout, /waiting for root@127\.0\.0\.1 \(port \d+\): .*ECONNREFUSED/);
  const { code, findings } = await drift();
  assert.equal(code, 2);
  assert.deepEqual(findings.map(({ subject, what }) => [subject, what]), [["host", `root@127.0.0.1 (port ${server.port})`]]);
  await server.resume();
  assert.deepEqual((await up(laptop)).ran, EDITED);
});

test("a connection that is cut in a build is made again, and the same up joins the build", async () => {
  const { started, sleepers } = await building(6);
  await server.cut();
  await sleep(500);
  await server.resume();
  assert.equal(sleepers(), 1, "the build goes on without the connection");
  const update = await started.finish();
  assert.equal(update.process.code, 0, update.process.stdout);
  assert.match(update.process.stdout, /the connection to .* was cut[^]*layer6-app: joining the build that is running already/);
  assert.equal((await outputs(laptop)).layers["layer6-app"]?.built, 0, "it was built once");
});

test("a host that goes away in a build for longer than the patience is named; the next up joins", async () => {
  const { started } = await building(9);
  await server.cut();
  assertFailed(await started.finish(), "HOST_UNREACHABLE");
  await server.resume();
  const update = await up(laptop);
  assert.match(update.process.stdout, /layer6-app: joining the build that is running already/);
  assert.deepEqual(update.ran, ["comfyui-layer6-app", "comfyui-publish-image"]);
});

test("after Ctrl-C, twice, the build goes on at the host; the next up joins it", async () => {
  const { started, sleepers } = await building(15);
  started.running.signal("SIGINT");
  await started.running.outputMatches(/[Cc]ancell/);
  started.running.signal("SIGINT");
  assert.notEqual((await started.finish()).process.code, 0);
  assert.equal(sleepers(), 1);
  await recover(laptop);
  const update = await up(laptop);
  assert.match(update.process.stdout, /layer6-app: joining the build that is running already/);
});

test("two stacks share a host without a word to each other", async () => {
  await using other = await Sandbox.create({ store: EMPTY_STORE, env: { COMFYUI_HOST_PATIENCE: "3" } });
  await other.bash("cp stacks/Pulumi.local.yaml stacks/Pulumi.other.yaml && pulumi stack init other --non-interactive");
  await useHost(other, server);
  await other.bash("cp stacks/Pulumi.local.yaml stacks/Pulumi.other.yaml");
  edit(1);
  const [mine, theirs] = await Promise.all([up(laptop), up(other, { env: { PULUMI_STACK: "other" } })]);
  assert.deepEqual([mine.ran, theirs.ran], [EDITED, everything]);
  for (const stack of ["local", "other"]) assert.ok(existsSync(`${server.home}/comfyui/${stack}/.local/images/index.json`), stack);
  assert.deepEqual((await up(laptop)).ran, []);
});

test("HOST_SOURCES_MISSING: a host that lost the sources gets them again by the command that the message names", async () => {
  rmSync(`${server.home}/comfyui/local`, { recursive: true });
  edit();
  const lost = await up(laptop, { allowFailure: true });
  assertFailed(lost, "HOST_SOURCES_MISSING");
  const [, words = ""] = /fix: .*pulumi up (.*)/.exec(lost.process.stdout) ?? [];
  const { ran } = await up(laptop, { args: words.split(" ").map((word) => word.replaceAll("'", "")) });
  assert.deepEqual(ran, [...new Set([...HOST, ...EDITED, "comfyui-cache"])].sort());
});

test("a host that is replaced gets its sources again, through a jump host, and builds nothing that it has; destroy leaves its image and cache", async () => {
  const { snapshot } = await firstUp();
  await using second = await Sandbox.create({ store: snapshot.store });
  const replaced = await SshServer.start(second);
  setCheck(laptop.host("layers"), "layer6-app", "true");
  const { kind: _kind, ...jump } = server.asBuildHost();
  await useHost(laptop, replaced, { jump });
  await configureSecrets(laptop, { "buildHost.jump.privateKey": server.privateKey });
  const update = await up(laptop);
  assert.deepEqual(update.ran, everything);
  const { layers } = await outputs(laptop);
  const built = Object.entries(layers).filter(([, each]) => each.built > 0).map(([attr]) => attr);
  assert.deepEqual(built, ["layer6-app"]);

  await destroy(laptop);
  assert.deepEqual(await stackOutput(laptop), {});
  const left = `${replaced.home}/comfyui/local/.local`;
  assert.ok(!existsSync(`${left}/host/work`) && !existsSync(`${left}/host/roots/layers`), "its work copies and roots are taken away");
  assert.ok(existsSync(`${left}/images/index.json`) && existsSync(`${left}/cache/nix-cache-info`), "the image and the cache are kept");
});
