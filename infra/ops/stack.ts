/** The stack that a command is about. */
import { join } from "node:path";
import type { Command } from "commander";
import { z } from "zod";
import type { Json } from "../canonical-json.ts";
import { configInput, parseConfig, type StackConfig } from "../config.ts";
import { pulumi } from "../quickstart/pulumi-cli.ts";
import { readPlan } from "../read-plan.ts";
import type { Plan } from "../request.ts";
import type { Context } from "./command.ts";
import { runScript } from "./script.ts";
import { readState, type StackState } from "./state.ts";

export interface StackOption {
  readonly stack?: string;
}

export function stackOption(command: Command): Command {
  return command.option("--stack <stack>", "default: PULUMI_STACK, else the selected one");
}

export async function stackName({ stack }: StackOption, { root, env }: Context): Promise<string> {
  return stack ?? env["PULUMI_STACK"] ?? (await pulumi(["stack", "--show-name"], root)).trim();
}

export interface OpenedStack {
  readonly name: string;
  /** Graph, inputs, fingerprints and configuration, as they are in this checkout now. */
  readonly plan: Plan<StackConfig>;
  /** What the last `up` left. */
  readonly state: StackState;
  /** Runs infra/hosts/SCRIPT.sh on the stack's build host. Throws ScriptFailed with its fault; see runScript. */
  onBuildHost<T>(script: string, request: { readonly [key: string]: Json }, answer: z.ZodType<T>): Promise<T>;
}

/** Reads all that is known of the stack, on this machine: no host is asked. */
export async function openStack(options: StackOption, context: Context): Promise<OpenedStack> {
  const { root, tell } = context;
  const name = await stackName(options, context);
  const [config, state] = await Promise.all([readConfig(root, name), readState(root, name)]);
  return {
    name,
    plan: readPlan(join(root, "layers"), configInput(config.values), config.isSecret),
    state,
    onBuildHost: (script, request, answer) => runScript(answer, state.buildHost(root), { script, request, tell }),
  };
}

/** The stack's configuration, with its secrets. */
export async function readStackConfig(root: string, stack: string): Promise<StackConfig> {
  const { values, isSecret } = await readConfig(root, stack);
  return parseConfig(configInput(values), { isSecret });
}

/** One value of the stack's file, in clear; undefined where there is none. `key`: with its namespace. */
export async function readConfigValue(root: string, stack: string, key: string): Promise<string | undefined> {
  return (await readConfig(root, stack)).values[key];
}

const configOutput = z.record(z.string(), z.object({ value: z.string().optional(), secret: z.boolean() }));

async function readConfig(root: string, stack: string) {
  const all = configOutput.parse(JSON.parse(await pulumi(["config", "--json", "--show-secrets", "--stack", stack], root)));
  const values = Object.fromEntries(Object.entries(all).flatMap(([key, { value }]) => (value === undefined ? [] : [[key, value]])));
  return { values, isSecret: (section: string) => all[`comfyui:${section}`]?.secret === true };
}
