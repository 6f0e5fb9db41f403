/** The stand-in for Pulumi's language host for Node.js: what it decides without an engine. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import language from "@pulumi/pulumi/proto/language_pb.js";
import { lockedDependencies, programDependencies } from "../../infra/pulumi/language-host/dependencies.ts";
import { pluginNeed, pluginNeeds } from "../../infra/pulumi/language-host/packages.ts";
import { outcome, runnerArguments, runnerEnvironment } from "../../infra/pulumi/language-host/program.ts";
import { runtimeOptions } from "../../infra/pulumi/language-host/runtime-options.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { assertFault, faultsOf } from "./faults.ts";

const folder = mkdtempSync(join(tmpdir(), "comfyui-language-host-"));
after(() => rmSync(folder, { recursive: true }));

function write(name: string, content: unknown): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), JSON.stringify(content));
}

function request(): language.RunRequest {
  const info = new language.ProgramInfo().setRootDirectory("/project").setProgramDirectory("/project/infra").setEntryPoint(".");
  const asked = new language.RunRequest().setMonitorAddress("127.0.0.1:1").setProject("comfyui").setStack("team").setParallel(16).setInfo(info);
  asked.getConfigMap().set("comfyui:flavor", '{"kind":"sample"}').set("aws:region", "eu-west-1");
  return asked;
}

test("the runner gets what the engine says, and no secret in an argument", () => {
  const named = ["--monitor", "127.0.0.1:1", "--engine", "127.0.0.1:2"];
  const rest = ["--project", "comfyui", "--root-directory", "/project", "--stack", "team", "--pwd", "/project/infra", "--parallel", "16"];
  assert.deepEqual(runnerArguments(request(), "127.0.0.1:2"), [...named, ...rest, "."]);
  const more = request().setOrganization("us").setDryrun(true).setArgsList(["--a", "b c"]).setConfigsecretkeysList(["aws:region"]);
  assert.deepEqual(runnerArguments(more, "127.0.0.1:2"), [...named, "--organization", "us", ...rest, "--dry-run", ".", "--a", "b c"]);
  const config = '{"aws:region":"eu-west-1","comfyui:flavor":"{\\"kind\\":\\"sample\\"}"}';
  assert.deepEqual(runnerEnvironment(more, { typescript: false, nodeArguments: [] }), { PULUMI_CONFIG: config, PULUMI_CONFIG_SECRET_KEYS: '["aws:region"]' });
  assert.equal(runnerEnvironment(request(), { typescript: true, nodeArguments: [] })["PULUMI_NODEJS_TYPESCRIPT"], "true");
});

test("how a program ended: well, told by itself, with another code, by a signal", () => {
  assert.deepEqual(outcome(0, null), {});
  assert.deepEqual(outcome(32, null), { bail: true });
  assert.deepEqual(outcome(1, null), { error: "Program exited with non-zero exit code: 1" });
  assert.deepEqual(outcome(null, "SIGKILL"), { error: "Program exited with non-zero exit code: -1 (SIGKILL)" });
});

test("runtime options: what is left out is Pulumi's default", () => {
  assert.deepEqual(runtimeOptions({}), { typescript: true, nodeArguments: [] });
  assert.deepEqual(runtimeOptions({ typescript: false, nodeargs: " --max-old-space-size=4096  --no-warnings" }), { typescript: false, nodeArguments: ["--max-old-space-size=4096", "--no-warnings"] });
});

test("PLUGIN_RUNTIME_OPTION: one that is not known, or has another value; all at once", () => {
  const rows: readonly { options: Record<string, unknown>; says: readonly string[] }[] = [
    { options: { tsconfig: "a.json" }, says: ['found:    "a.json"', "expected: one of typescript, nodeargs"] },
    { options: { typescript: "no" }, says: ['found:    "no"', "expected: true or false"] },
    { options: { nodeargs: "--title='a b'" }, says: ["expected: arguments without quotes"] },
    { options: { constructor: 1 }, says: ["does not know this option"] },
  ];
  for (const { options, says } of rows) {
    assertFault({ code: "PLUGIN_RUNTIME_OPTION", input: options, where: `Pulumi.yaml: runtime.options.${Object.keys(options)[0]}`, says }, runtimeOptions);
  }
  assert.equal(faultsOf(() => runtimeOptions({ tsconfig: "a.json", nodeargs: 1 })).length, 2);
});

test("plugins: of each installed package that wants one, however it is linked, and of none above the program", () => {
  const wants = (name: string, version: string) => ({ name: `@pulumi/${name}`, version: "0.0.1", pulumi: { resource: true, name, version } });
  write("node_modules/@pulumi/above/package.json", wants("above", "1.0.0"));
  write("program/sub/node_modules/@pulumi/one/package.json", wants("one", "1.0.0"));
  write("program/sub/node_modules/@pulumi/one/node_modules/other/package.json", { name: "other", pulumi: { resource: true, name: "two", version: "v2.0.0", server: "https://plugins.example" } });
  write("program/sub/node_modules/plain/package.json", { name: "plain", version: "1.0.0" });
  write("linked/@pulumi/three/package.json", { name: "@pulumi/three", version: "3.0.0", pulumi: { resource: true } });
  symlinkSync(join(folder, "linked"), join(folder, "program/node_modules"));
  symlinkSync(join(folder, "program"), join(folder, "program/sub/circle"));
  symlinkSync("nowhere", join(folder, "program/dangling"));
  const needs = pluginNeeds(join(folder, "program")).sort((a, b) => a.name.localeCompare(b.name));
  assert.deepEqual(needs, [
    { name: "one", version: "v1.0.0", server: "" },
    { name: "three", version: "v3.0.0", server: "" },
    { name: "two", version: "v2.0.0", server: "https://plugins.example" },
  ]);
  assert.deepEqual(pluginNeeds(join(CHECKOUT, "infra")), [], "the stack's own plugins are fetched when the program asks for them");
});

test("PLUGIN_LIMIT: a package that wants more of its plugin than this project's do", () => {
  const parameters = { name: "@pulumi/any", version: "1.0.0", pulumi: { resource: true, parameterization: { name: "any" } } };
  assertFault({ code: "PLUGIN_LIMIT", input: parameters, where: "a/package.json", says: ["no plugins with parameters"] }, (input) => pluginNeed(input, "a/package.json"));
  assertFault({ code: "PLUGIN_LIMIT", input: { version: "1.0.0", pulumi: { resource: true } }, where: "a/package.json", says: ["does not say which"] }, (input) => pluginNeed(input, "a/package.json"));
});

test("dependencies: those that the project names, or all that are locked; the nearest lock file counts", () => {
  const packages = {
    "": { dependencies: { one: "^1.0.0" }, devDependencies: { "@of/two": "2.0.0" } },
    "node_modules/one": { version: "1.2.3" },
    "node_modules/@of/two": { version: "2.0.0" },
    "node_modules/three": { version: "3.0.0" },
    "node_modules/three/node_modules/one": { version: "1.0.0" },
  };
  const direct = [{ name: "one", version: "1.2.3" }, { name: "@of/two", version: "2.0.0" }];
  assert.deepEqual(lockedDependencies({ packages }, false), direct);
  assert.deepEqual(lockedDependencies({ packages }, true), [...direct, { name: "three", version: "3.0.0" }, { name: "one", version: "1.0.0" }]);
  write("locked/package-lock.json", { packages });
  mkdirSync(join(folder, "locked/infra"));
  assert.deepEqual(programDependencies(join(folder, "locked/infra"), false), direct);
  assert.throws(() => programDependencies("/", false), /no package-lock\.json found \(searching upwards from \/\)/);
});
