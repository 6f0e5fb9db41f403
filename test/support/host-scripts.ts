/** What Pulumi gave the host scripts, and what they left on the host. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Result, RunOptions } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";

interface Exported {
  readonly deployment: { readonly resources?: ReadonlyArray<{ readonly urn: string; readonly inputs?: { readonly stdin?: string } }> };
}

/** A command as the stack's state has it: the JSON request on its standard input. */
export async function recordedCommand(sandbox: Sandbox, name: string): Promise<{ readonly stdin: string }> {
  const { stdout } = await sandbox.run("pulumi", ["stack", "export"]);
  const found = (JSON.parse(stdout) as Exported).deployment.resources?.find(({ urn }) => urn.endsWith(`::${name}`));
  if (found?.inputs?.stdin === undefined) throw new Error(`the stack's state has no command ${name}`);
  return { stdin: found.inputs.stdin };
}

/** Runs a script of infra/hosts the way the command provider does. */
export async function runScript(sandbox: Sandbox, script: string, request: string, options: RunOptions = {}): Promise<Result> {
  return sandbox.run("bash", [`hosts/${script}.sh`], { ...options, cwd: join(sandbox.root, "infra"), input: request });
}

/** The newest log of a layer, or of `image`. */
export function newestLog(sandbox: Sandbox, name: string): string {
  const folder = sandbox.host(`.local/host/logs/${name}`);
  const last = readdirSync(folder).sort().at(-1);
  if (last === undefined) throw new Error(`no log in ${folder}`);
  return readFileSync(join(folder, last), "utf8");
}

/** The derivations that Nix says in a log it built. */
export function builtDerivations(log: string): string[] {
  return [...log.matchAll(/^building '([^']+)'/gm)].map(([, path = ""]) => path).sort();
}

/** The part of a store path that a person reads. */
export function storeName(path: string): string {
  return path.replace(/^\/nix\/store\/[0-9a-z]{32}-/, "");
}

/** A script ended with this one fault, says these words, and answers nothing. */
export function assertFault(result: Result, code: string, says: readonly (string | RegExp)[]): void {
  assert.deepEqual([result.code, result.stdout], [1, ""], result.stderr);
  const codes = [...result.stderr.matchAll(/^error\[([A-Z_]+)\]/gm)].map(([, found]) => found);
  assert.deepEqual(codes, [code], result.stderr);
  for (const words of says) assert.ok(typeof words === "string" ? result.stderr.includes(words) : words.test(result.stderr), `${words} is not in:\n${result.stderr}`);
}
