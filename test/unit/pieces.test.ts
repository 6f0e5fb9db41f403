/** Which pieces of Pulumi are its own, and which stand in for them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { engineWords, findPieces, STAND_IN, usesStandIns } from "../../infra/pulumi/pieces.ts";
import { sdkVersion } from "../../infra/pulumi/sdk.ts";
import { CHECKOUT } from "../support/checkout.ts";

const root = mkdtempSync(join(tmpdir(), "comfyui-pieces-"));
after(() => rmSync(root, { recursive: true }));

function script(file: string, ...lines: string[]): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o755 });
  return file;
}

const standIn = (file: string) => script(file, "#!/bin/sh", STAND_IN, "exit 1");
const own = (file: string, says: string) => script(file, "#!/bin/sh", `[ "$1" = -version ] && echo ${says}`);

/** An engine in a folder of its own, on PATH by a link; the plugins of its home. */
function machine(name: string): { readonly engine: string; readonly plugin: (version: string) => string; readonly env: Record<string, string> } {
  const folder = join(root, name);
  script(join(folder, "engine/pulumi"), "#!/bin/sh", '[ "$1" = version ] && echo v3.274.1');
  mkdirSync(join(folder, "bin"));
  symlinkSync("../engine/pulumi", join(folder, "bin/pulumi"));
  const plugin = (version: string) => join(folder, `home/plugins/resource-command-v${version}/pulumi-resource-command`);
  return { engine: join(folder, "engine"), plugin, env: { PATH: `${join(folder, "bin")}:/usr/bin:/bin`, PULUMI_HOME: join(folder, "home"), PULUMI_IGNORE_AMBIENT_PLUGINS: "true" } };
}

test("Pulumi's own: the language host beside the real file, the newest command plugin", async () => {
  const { engine, plugin, env } = machine("own");
  const host = own(join(engine, "pulumi-language-nodejs"), "v3.274.0");
  standIn(plugin("1.2.1"));
  const newest = own(plugin("1.10.0"), "");
  mkdirSync(join(env["PULUMI_HOME"] as string, "plugins/resource-command-v9.0.0.lock"));
  const pieces = await findPieces(env);
  assert.deepEqual(pieces, {
    cli: { version: "3.274.1", file: join(engine, "pulumi"), standIn: false },
    languageHost: { version: "3.274.0", file: host, standIn: false },
    commandPlugin: { version: "1.10.0", file: newest, standIn: false },
  });
  assert.equal(engineWords(pieces), "Pulumi 3.274.1 with its own language host and command plugin");
  assert.equal(usesStandIns(env), false);
});

test("stand-ins, by the second line of their scripts", async () => {
  const { engine, plugin, env } = machine("stand-ins");
  const host = standIn(join(engine, "pulumi-language-nodejs"));
  assert.equal(usesStandIns(env), true);
  const command = standIn(plugin("1.2.1"));
  assert.equal(usesStandIns({ ...env, PATH: root }), true);
  const pieces = await findPieces(env);
  assert.deepEqual(pieces.languageHost, { version: sdkVersion(), file: host, standIn: true });
  assert.deepEqual(pieces.commandPlugin, { version: "1.2.1", file: command, standIn: true });
  assert.equal(engineWords(pieces), "Pulumi 3.274.1 with this project's stand-ins for the Node.js language host and the command plugin");
  assert.equal(engineWords({ ...pieces, commandPlugin: null }), "Pulumi 3.274.1 with this project's stand-in for the Node.js language host");
});

test("what is on PATH comes first, where the engine looks there; what is nowhere is none", async () => {
  const { engine, env } = machine("ambient");
  assert.deepEqual(await findPieces(env).then(({ languageHost, commandPlugin }) => [languageHost, commandPlugin]), [null, null]);
  standIn(join(engine, "pulumi-language-nodejs"));
  const ambient = own(join(root, "ambient/bin/pulumi-language-nodejs"), "v3.1.0");
  const { languageHost } = await findPieces({ ...env, PULUMI_IGNORE_AMBIENT_PLUGINS: "false" });
  assert.deepEqual(languageHost, { version: "3.1.0", file: ambient, standIn: false });
  await assert.rejects(findPieces({ PATH: root }), /^Error: no pulumi on PATH \(/);
});

test("set-up writes the scripts of stand-ins with the line that they are known by, and nothing else has it", () => {
  const found = execFileSync("git", ["-C", CHECKOUT, "grep", "-lF", "--untracked", STAND_IN, "--", "infra"], { encoding: "utf8" }).trim().split("\n");
  assert.deepEqual(found.filter((file) => !file.startsWith("infra/setup")), ["infra/pulumi/pieces.ts"]);
  assert.notEqual(found.length, 1, "set-up has the line");
});
