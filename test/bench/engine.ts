/** A run that changes nothing: what our program costs beside the engine and the language host, which any program pays for. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";
import { type Bench, type Comparison, inTurn, type Part } from "./comparison.ts";

interface Exported {
  readonly deployment: { readonly resources: readonly { readonly type: string; readonly custom: boolean }[] };
}

const QUIET = ["--non-interactive", "--color", "never"];
const COMMANDS = { up: ["up", "--yes", "--skip-preview", ...QUIET], preview: ["preview", ...QUIET] };

/** A stack with as many commands and components as ours, in the same language, each of them one line. Answers its folder. */
async function trivialStack(sandbox: Sandbox): Promise<string> {
  const { stdout } = await sandbox.run("pulumi", ["stack", "export"]);
  const resources = (JSON.parse(stdout) as Exported).deployment.resources.filter(({ type }) => !type.startsWith("pulumi:"));
  const commands = resources.filter(({ custom }) => custom).length;
  const folder = join(sandbox.at, "trivial");
  mkdirSync(sandbox.host(folder));
  const write = (name: string, text: string) => writeFileSync(sandbox.host(join(folder, name)), text);
  symlinkSync(join(sandbox.root, "node_modules"), sandbox.host(join(folder, "node_modules")));
  write("package.json", '{"name": "trivial", "type": "module", "main": "index.ts"}');
  write("Pulumi.yaml", "name: trivial\nruntime: nodejs\n");
  write("index.ts", `import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
for (let at = 0; at < ${commands}; at++) new command.local.Command(\`command-\${at}\`, { create: "true", stdin: \`\${at}\` });
for (let at = 0; at < ${resources.length - commands}; at++) new pulumi.ComponentResource("trivial:index:Component", \`component-\${at}\`);
`);
  await sandbox.run("pulumi", ["--cwd", folder, "stack", "init", "local", ...QUIET]);
  await sandbox.run("pulumi", ["--cwd", folder, ...COMMANDS.up]);
  return folder;
}

async function noOp(sandbox: Sandbox, trivial: string, command: keyof typeof COMMANDS, { runs, say }: Bench): Promise<Comparison> {
  say(`no-op ${command}`);
  const args = COMMANDS[command];
  const timed = async (more: readonly string[]) => (await sandbox.run("pulumi", [...more, ...args])).seconds;
  const { ours, theirs } = await inTurn(runs * 2, () => timed([]), () => timed(["--cwd", trivial]));
  return {
    what: `no-op \`pulumi ${command}\``,
    unit: "s",
    ours: { command: `pulumi ${args.join(" ")}`, figures: ours },
    theirs: { command: `the same, of a program of as many one-line commands and components`, figures: theirs },
    goal: { atMost: 1.15 },
  };
}

export const engine: Part = {
  name: "engine",
  async measure(bench) {
    await using sandbox = await warmSandbox();
    const trivial = await trivialStack(sandbox);
    return { comparisons: [await noOp(sandbox, trivial, "up", bench), await noOp(sandbox, trivial, "preview", bench)] };
  },
};
