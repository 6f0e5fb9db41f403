/** A missing plugin of Pulumi is told before anything is touched. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { needPlugins } from "../../infra/plugins.ts";
import { STAND_IN } from "../../infra/pulumi/pieces.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { awsProgram } from "../support/aws-program.ts";
import { assertFault, faultsOf } from "./faults.ts";

const { version: AWS_PLUGIN } = JSON.parse(readFileSync(join(CHECKOUT, "node_modules/@pulumi/aws/package.json"), "utf8")) as { version: string };
const home = mkdtempSync(join(tmpdir(), "comfyui-plugins-"));
after(() => rmSync(home, { recursive: true }));

/** A folder in Pulumi's place, with these plugins. */
function pulumiHome(name: string, ...plugins: string[]): Readonly<Record<string, string>> {
  for (const plugin of plugins) mkdirSync(join(home, name, "plugins", plugin), { recursive: true });
  return { PULUMI_HOME: join(home, name), PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true", PULUMI_IGNORE_AMBIENT_PLUGINS: "true", PATH: home };
}

test("PLUGIN_MISSING: none is there and none may be downloaded", () => {
  const says = [`pulumi plugin install resource aws ${AWS_PLUGIN}`, "unset PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "found:    none"];
  assertFault({ code: "PLUGIN_MISSING", input: pulumiHome("none"), where: join(home, "none/plugins"), says }, (env) => needPlugins(["aws"], env));
  const old = pulumiHome("old", "resource-aws-v7.9.0", "resource-command-v1.2.1");
  assertFault({ code: "PLUGIN_MISSING", input: old, where: join(home, "old/plugins"), says: ["found:    7.9.0", `expected: resource-aws-v${AWS_PLUGIN}`] }, (env) => needPlugins(["command", "aws"], env));
  assert.equal(faultsOf(() => needPlugins(["command", "aws"], pulumiHome("none"))).length, 2, "all at once");
});

test("PLUGIN_MISSING where stand-ins are in use: set-up has turned the download off, and what helps is a network", () => {
  const env = pulumiHome("stand-in", "resource-command-v1.2.1");
  writeFileSync(join(home, "stand-in/plugins/resource-command-v1.2.1/pulumi-resource-command"), `#!/bin/sh\n${STAND_IN}\n`);
  needPlugins(["command"], env);
  const says = [`on a network that reaches Pulumi's downloads: npm run setup`, `pulumi plugin install resource aws ${AWS_PLUGIN}`];
  assertFault({ code: "PLUGIN_MISSING", input: env, where: join(home, "stand-in/plugins"), says }, (each) => needPlugins(["command", "aws"], each));
});

test("a plugin that is there, that may be downloaded, or that lies on PATH is not missed", () => {
  needPlugins(["aws"], pulumiHome("same", `resource-aws-v${AWS_PLUGIN}`, `resource-aws-v${AWS_PLUGIN}.lock`));
  needPlugins(["aws"], pulumiHome("newer", "resource-aws-v10.0.0"));
  needPlugins(["aws"], { ...pulumiHome("none"), PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "false" });
  writeFileSync(join(home, "pulumi-resource-aws"), "");
  chmodSync(join(home, "pulumi-resource-aws"), 0o755);
  needPlugins(["aws"], { ...pulumiHome("none"), PULUMI_IGNORE_AMBIENT_PLUGINS: "false" });
});

test("PLUGIN_MISSING ends the program of a stack on AWS before its first resource", async () => {
  await assert.rejects(awsProgram("team", {}, {}, pulumiHome("none")), /error\[PLUGIN_MISSING\]: .*\n.*\n.*\n {2}fix: {6}pulumi plugin install resource aws /);
});
