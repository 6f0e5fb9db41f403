/** Small stacks of commands under the real engine, with the command plugin that is under test. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHECKOUT } from "./checkout.ts";
import { finish, type Result, type RunOptions, type Running } from "./process.ts";
import { OFFICIAL_PIECES, ownPieces, standInPieces } from "./pulumi-pieces.ts";
import { SmallProgram } from "./small-program.ts";

/** The plugin under test: the official one where its folder is given, else the stand-in. */
export type Plugin = "stand-in" | "official";
export const plugin: Plugin = OFFICIAL_PIECES === undefined ? "stand-in" : "official";

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
type Arguments = { readonly [name: string]: Json };

export interface Declared {
  readonly type: "local.Command" | "remote.Command" | "remote.CopyToRemote";
  readonly args: Arguments;
  readonly options: Arguments;
}

export const local = (args: Arguments, options: Arguments = {}): Declared => ({ type: "local.Command", args, options });
export const remote = (args: Arguments, options: Arguments = {}): Declared => ({ type: "remote.Command", args, options });
export const copied = (args: Arguments, options: Arguments = {}): Declared => ({ type: "remote.CopyToRemote", args, options });
export const secret = (value: Json) => ({ $secret: value });
/** The standard output of a resource that is declared before. */
export const stdoutOf = (name: string) => ({ $stdout: name });
export const fileAsset = (path: string) => ({ $file: path });

const PROGRAM = `import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { readFileSync } from "node:fs";
const made = {};
function value(given) {
  if (Array.isArray(given)) return given.map(value);
  if (typeof given !== "object" || given === null) return given;
  if ("$secret" in given) return pulumi.secret(value(given.$secret));
  if ("$stdout" in given) return made[given.$stdout].stdout;
  if ("$file" in given) return new pulumi.asset.FileAsset(given.$file);
  return Object.fromEntries(Object.entries(given).map(([name, each]) => [name, value(each)]));
}
for (const [name, { type, args, options }] of Object.entries(JSON.parse(readFileSync("resources.json", "utf8")))) {
  const [module, kind] = type.split(".");
  made[name] = new command[module][kind](name, value(args), options);
}
`;

export interface StateOf {
  readonly type: string;
  readonly id: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, unknown>>;
}

export interface Step {
  readonly op: string;
  /** How its inputs differ, by path. */
  readonly diff: Readonly<Record<string, string>>;
}

type Resources = Readonly<Record<string, Declared>>;

const SKIP = ["--yes", "--skip-preview"];
const MARK = "4dabf18193072939515e22adb298388d";

export class CommandStack implements Disposable {
  readonly #program: SmallProgram;
  readonly #pieces: string;
  readonly #limit: RunOptions;

  private constructor(program: SmallProgram, pieces: string, limit: RunOptions) {
    this.#program = program;
    this.#pieces = pieces;
    this.#limit = limit;
  }

  /** `use`: the plugin; default: the one under test. `timeout`: milliseconds until an `up` is killed; default: that of `run`. */
  static async create({ use = plugin, ...limit }: { readonly use?: Plugin; readonly timeout?: number } = {}): Promise<CommandStack> {
    const folder = mkdtempSync(join(tmpdir(), "comfyui-pieces-"));
    return new CommandStack(await SmallProgram.create(PROGRAM, [], environmentOf(use, folder)), folder, limit);
  }

  /** Where its commands run. */
  get folder(): string {
    return this.#program.folder;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** The text of a file there; empty where there is none. */
  file(name: string): string {
    return existsSync(this.path(name)) ? readFileSync(this.path(name), "utf8") : "";
  }

  /** Starts an `up` of these resources. `env`: added to its environment. */
  startUp(resources: Resources, env: Readonly<Record<string, string>> = {}): Running {
    this.#declare(resources);
    return this.#program.start(["up", ...SKIP], env);
  }

  /** An `up` of these resources that ends well. */
  async up(resources: Resources): Promise<Result> {
    return finish(this.startUp(resources), this.#limit);
  }

  /** An `up` that has to fail. */
  async failing(resources: Resources): Promise<Result> {
    const result = await finish(this.startUp(resources), { ...this.#limit, allowFailure: true });
    assert.notEqual(result.code, 0, result.stdout);
    return result;
  }

  /** What an `up` of these resources would do, by name; what stays as it is is left out. */
  async preview(resources: Resources): Promise<Readonly<Record<string, Step>>> {
    this.#declare(resources);
    const { code, stdout, stderr } = await this.#program.pulumi(["preview", "--json"]);
    assert.equal(code, 0, stdout + stderr);
    const { steps } = JSON.parse(stdout) as { readonly steps: readonly PreviewedStep[] };
    const own = steps.filter(({ op, urn }) => op !== "same" && urn.includes("::command:"));
    const diffOf = ({ detailedDiff }: PreviewedStep) => Object.fromEntries(Object.entries(detailedDiff ?? {}).map(([path, { kind }]) => [path, kind]));
    return Object.fromEntries(own.map((step) => [nameOf(step.urn), { op: step.op, diff: diffOf(step) }]));
  }

  async refresh(): Promise<Result> {
    return this.#program.pulumi(["refresh", ...SKIP, "--expect-no-changes"]);
  }

  /** It may fail: `code` says so. */
  async destroy(): Promise<Result> {
    return this.#program.pulumi(["destroy", ...SKIP]);
  }

  /** After a run that was killed. */
  async recover(): Promise<void> {
    await this.#program.pulumi(["cancel", "--yes"]);
    await this.#program.pulumi(["refresh", "--yes", "--clear-pending-creates"]);
  }

  /** The whole state as text, secrets in clear. */
  async exported(): Promise<string> {
    const { code, stdout, stderr } = await this.#program.pulumi(["stack", "export", "--show-secrets"]);
    assert.equal(code, 0, stderr);
    return stdout;
  }

  async import(deployment: string): Promise<void> {
    writeFileSync(this.path("deployment.json"), deployment);
    const { code, stderr } = await this.#program.pulumi(["stack", "import", "--file", "deployment.json"]);
    assert.equal(code, 0, stderr);
  }

  /** What the state has of each command, by name; a secret is what `secret` makes. */
  async state(): Promise<Readonly<Record<string, StateOf>>> {
    return commandsIn(await this.exported());
  }

  #declare(resources: Resources): void {
    writeFileSync(this.path("resources.json"), JSON.stringify(resources));
  }

  [Symbol.dispose](): void {
    this.#program[Symbol.dispose]();
    rmSync(this.#pieces, { recursive: true });
  }
}

interface PreviewedStep {
  readonly op: string;
  readonly urn: string;
  readonly detailedDiff?: Readonly<Record<string, { readonly kind: string }>> | null;
}

function environmentOf(pieces: Plugin, folder: string): Readonly<Record<string, string>> {
  if (pieces === "stand-in") return standInPieces(CHECKOUT, { folder });
  if (OFFICIAL_PIECES === undefined) throw new Error("the official pieces are in no folder here: COMFYUI_OFFICIAL_PIECES");
  return ownPieces(OFFICIAL_PIECES, { folder });
}

const nameOf = (urn: string): string => urn.slice(urn.lastIndexOf("::") + 2);

/** The commands of an exported state. */
export function commandsIn(exported: string): Readonly<Record<string, StateOf>> {
  const { deployment } = JSON.parse(exported) as { readonly deployment: { readonly resources?: readonly (StateOf & { readonly urn: string })[] } };
  const own = (deployment.resources ?? []).filter(({ type }) => type.startsWith("command:"));
  const states = own.map(({ urn, type, id, inputs, outputs }) => [nameOf(urn), { type, id, inputs: shown(inputs), outputs: shown(outputs) }]);
  return Object.fromEntries(states) as Readonly<Record<string, StateOf>>;
}

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== "object" || value === null) return value;
  if ("plaintext" in value && MARK in value) return { $secret: shown(JSON.parse(value.plaintext as string)) };
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shown(each)]));
}
