/**
 * The stand-in for Pulumi's language host, by small programs under the real engine; and Pulumi's own, where COMFYUI_OFFICIAL_PIECES
 * names a folder with it: what only the stand-in does stands below.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { sdkVersion } from "../../infra/pulumi/sdk.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { descendants, type Process, processes } from "../support/proc-tree.ts";
import type { Result, Running } from "../support/process.ts";
import { OFFICIAL_PIECES, ownPieces, standInPieces } from "../support/pulumi-pieces.ts";
import { SmallProgram } from "../support/small-program.ts";

const UP = ["up", "--yes", "--skip-preview", "--suppress-progress"];

const folder = mkdtempSync(join(tmpdir(), "comfyui-pieces-"));
let program: SmallProgram;
before(async () => {
  const pieces = OFFICIAL_PIECES === undefined ? standInPieces(CHECKOUT, { folder }) : ownPieces(OFFICIAL_PIECES, { folder });
  program = await SmallProgram.create("", [], pieces);
  project({ typescript: false });
});
after(() => {
  program[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

function project(options: object, more: object = {}): void {
  writeFileSync(join(program.folder, "Pulumi.yaml"), JSON.stringify({ name: "small", runtime: { name: "nodejs", options }, ...more }));
}

function run(text: string, args: readonly string[] = UP): Promise<Result> {
  writeFileSync(join(program.folder, "index.ts"), text);
  return program.pulumi(args);
}

const IMPORT = 'import * as pulumi from "@pulumi/pulumi";\n';

test("configuration, settings and environment reach the program, its outputs the stack; a secret stays one", async () => {
  await program.pulumi(["config", "set", "plain", "a word"]);
  await program.pulumi(["config", "set", "--path", "section.list[0]", "1"]);
  await program.pulumi(["config", "set", "other:key", "elsewhere"]);
  await program.pulumi(["config", "set", "--secret", "word", "not to be seen"]);
  const text = `${IMPORT}const config = new pulumi.Config();
export const all = Object.keys(pulumi.runtime.allConfig()).sort();
export const plain = config.require("plain");
export const section = config.requireObject("section");
export const word = config.requireSecret("word");
export const keys = JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS ?? "");
export const stack = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack(), pulumi.getRootDirectory(), process.cwd()];
export const dry = pulumi.runtime.isDryRun();
export const title = process.title;
`;
  project({ typescript: false, nodeargs: "--no-warnings --title=ours" });
  const { code, stdout } = await run(text, [...UP, "--parallel", "3"]);
  project({ typescript: false });
  assert.equal(code, 0, stdout);
  assert.ok(!stdout.includes("not to be seen"), stdout);
  const shown = JSON.parse((await program.pulumi(["stack", "output", "--json", "--show-secrets"])).stdout) as unknown;
  assert.deepEqual(shown, {
    all: ["other:key", "small:plain", "small:section", "small:word"],
    plain: "a word",
    section: { list: [1] },
    word: "not to be seen",
    keys: ["small:word"],
    stack: ["organization", "small", "dev", program.folder, program.folder],
    dry: false,
    title: "ours",
  });
  const { stdout: state } = await program.pulumi(["stack", "export"]);
  assert.ok(!state.includes("not to be seen"));
});

test("a program in a folder of the project; a preview is a dry run; both of its outputs are shown", async () => {
  mkdirSync(join(program.folder, "sub"));
  writeFileSync(join(program.folder, "sub/main.ts"), `${IMPORT}console.log("said", pulumi.runtime.isDryRun(), process.cwd(), pulumi.getRootDirectory());\nprocess.stderr.write("and told\\n");\n`);
  project({ typescript: false }, { main: "sub/main.ts" });
  const { code, stdout } = await program.pulumi(["preview"]);
  project({ typescript: false });
  assert.equal(code, 0, stdout);
  assert.ok(stdout.includes(`said true ${join(program.folder, "sub")} ${program.folder}\n`), stdout);
  assert.match(stdout, /^ +and told$/m);
});

test("a program that throws: its message with the place, and exit code 1; one that gives up plainly: the message alone", async () => {
  const thrown = await run('throw new Error("no way");');
  assert.equal(thrown.code, 1);
  assert.match(thrown.stdout, /failed with an unhandled exception:\n.*Error: no way\n.*index\.ts:1:7/);
  assert.doesNotMatch(thrown.stdout, /exited with non-zero/);
  const told = await run(`${IMPORT}throw new pulumi.RunError("\\nerror[CODE]: told plainly");`);
  assert.equal(told.code, 1);
  assert.match(told.stdout, /error: *\n *error\[CODE\]: told plainly\n\n/);
  assert.doesNotMatch(told.stdout, /index\.ts|unhandled exception|exited with/);
});

test("a program that ends itself, or that is killed, is an error too", async () => {
  const ended = await run("process.exit(7);");
  assert.deepEqual([ended.code, /Program exited with non-zero exit code: 7$/m.test(ended.stdout)], [1, true], ended.stdout);
  const killed = await run('process.kill(process.pid, "SIGKILL"); await new Promise(() => setInterval(() => undefined, 1000));');
  assert.deepEqual([killed.code, /Program exited with non-zero exit code: -1/.test(killed.stdout)], [1, true], killed.stdout);
});

test("resource hooks run in the program, before what they are for, and in no preview", async () => {
  const text = `${IMPORT}import { appendFileSync } from "node:fs";
const hook = new pulumi.ResourceHook("told", ({ name, type }) => appendFileSync("hooks", \`\${type} \${name}\\n\`));
export const kept = new pulumi.Stash("kept", { input: "a word" }, { hooks: { beforeCreate: [hook] } }).output;
`;
  assert.equal((await run(text, ["preview"])).code, 0);
  assert.ok(!existsSync(join(program.folder, "hooks")));
  for (let times = 0; times < 2; times++) {
    const { code, stdout } = await run(text);
    assert.equal(code, 0, stdout);
    assert.equal(readFileSync(join(program.folder, "hooks"), "utf8"), "pulumi:index:Stash kept\n");
  }
});

test("pulumi plugin ls and pulumi about: the language, the plugins that the program wants, its dependencies", async () => {
  const packages = { "": { dependencies: { direct: "1.0.0" } }, "node_modules/direct": { version: "1.0.0" }, "node_modules/indirect": { version: "2.0.0" } };
  // In lines, as npm writes it: Pulumi's own reads it so.
  writeFileSync(join(program.folder, "package-lock.json"), JSON.stringify({ lockfileVersion: 3, packages }, null, 2));
  writeFileSync(join(program.folder, "package.json"), '{"name": "small", "type": "module", "main": "index.ts", "dependencies": {"direct": "1.0.0"}}');
  const listed = await program.pulumi(["plugin", "ls", "--project"]);
  assert.equal(listed.code, 0, listed.stderr);
  assert.match(listed.stdout, /^nodejs +language /m);
  const { stdout, stderr } = await program.pulumi(["about", "--json"]);
  const { plugins, runtime, dependencies } = JSON.parse(stdout) as { plugins: { name: string; version: string }[]; runtime: Record<string, string>; dependencies: unknown };
  const versions = new Map(plugins.map(({ name, version }) => [name, version]));
  assert.deepEqual([versions.get("command"), versions.has("aws"), versions.has("docker")], ["1.2.1", true, true], stderr);
  if (OFFICIAL_PIECES === undefined) assert.equal(versions.get("nodejs"), sdkVersion());
  assert.deepEqual([runtime["language"], runtime["version"]], ["nodejs", process.version]);
  assert.deepEqual(dependencies, [{ name: "direct", version: "1.0.0" }]);
});

test("without the SDK the program is not started", async () => {
  const [modules, away] = [join(program.folder, "node_modules"), join(program.folder, "away")];
  renameSync(modules, away);
  const { code, stdout } = await run("console.log('started')");
  renameSync(away, modules);
  assert.equal(code, 1);
  assert.match(stdout, /It looks like the Pulumi SDK has not been installed\. Have you run /);
  assert.doesNotMatch(stdout, /^ +started$/m);
});

/** Starts a program that does not end by itself, and answers once it runs; its processes are those of the engine. */
async function endless(text = ""): Promise<{ running: Running; all: Process[] }> {
  const mark = join(program.folder, "running");
  rmSync(mark, { force: true });
  writeFileSync(join(program.folder, "index.ts"), `import { writeFileSync } from "node:fs";\n${text}\nwriteFileSync("running", "");\nawait new Promise(() => setInterval(() => undefined, 1000));\n`);
  const running = program.start(UP);
  while (!existsSync(mark)) {
    if (running.ended) assert.fail(running.output().stdout);
    await sleep(20);
  }
  const all = descendants(running.pid);
  assert.ok(all.some(({ command }) => /cmd\/run/.test(command)), "the program runs");
  return { running, all };
}

/** Waits until none of these runs any more; the test's time limit ends it. */
async function gone(all: readonly Process[]): Promise<void> {
  const left = () => processes().filter(({ pid, command, zombie }) => !zombie && all.some((each) => each.pid === pid && each.command === command));
  while (left().length > 0) await sleep(20);
}

const limit = { timeout: 60_000 };

for (const [what, text] of [["is interrupted", ""], ["that takes no notice is killed", 'process.on("SIGINT", () => undefined);']] as const) {
  test(`Ctrl-C: the program ${what}, the engine ends in order, and nothing is left`, limit, async () => {
    const { running, all } = await endless(text);
    running.signal("SIGINT");
    const { code, stdout } = await running.done;
    assert.notEqual(code, 0);
    assert.match(stdout, /update canceled/);
    await gone(all);
  });
}

// Pulumi's own ignores options that it does not know, attaches debuggers, installs packages, and outlives a killed engine.
if (OFFICIAL_PIECES === undefined) {
  test("PLUGIN_RUNTIME_OPTION: an option that is not known stops the run before the program", async () => {
    project({ typescript: "no", tsconfig: "tsconfig.json" });
    const { code, stdout } = await run("console.log('started')");
    project({ typescript: false });
    assert.equal(code, 1);
    for (const option of ["typescript", "tsconfig"]) assert.match(stdout, new RegExp(`^ *error\\[PLUGIN_RUNTIME_OPTION\\]: Pulumi\\.yaml: runtime\\.options\\.${option}: `, "m"));
    assert.doesNotMatch(stdout, /^ +started$/m);
  });

  test("PLUGIN_LIMIT: no debugger and no installing; words say what to do", async () => {
    const debugged = await run("", ["preview", "--attach-debugger"]);
    assert.equal(debugged.code, 1);
    assert.match(debugged.stdout, /error\[PLUGIN_LIMIT\]: pulumi --attach-debugger: .*\n +fix: .*nodeargs/);
    const { code, stderr } = await program.pulumi(["install"]);
    assert.notEqual(code, 0);
    assert.match(stderr, /error\[PLUGIN_LIMIT\]: pulumi install: this project's language host installs no packages\n +fix: +npm ci/);
  });

  test("kill -9 of the engine: neither the language host nor the program outlives it", limit, async () => {
    const { running, all } = await endless('process.on("SIGINT", () => undefined);');
    running.signal("SIGKILL");
    await running.done;
    await gone(all);
    await program.pulumi(["cancel", "--yes"]);
    assert.equal((await run("")).code, 0, "the next run has the stack for itself");
  });
}
