/** The text that sets up a stack's machine, from the stack's configuration and what its state knows of the other machines. */
import { cacheAnswer, hostAnswer } from "../answers.ts";
import { type BootstrapSettings, buildSettings, builderSettings, cacheSettings, type Role } from "../bootstrap.ts";
import { readNixpkgs, textFor } from "../bootstrap-text.ts";
import type { Config, StackConfig } from "../config.ts";
import { type Fault, FaultError } from "../faults.ts";
import { readStackConfig } from "./stack.ts";
import { readState } from "./state.ts";

/** Roles of machines that a person sets up; those that a stack makes itself it also sets up itself. */
export type HandRole = Exclude<Role, "instance">;

export function isHandRole(text: string): text is HandRole {
  return text in roles;
}

export interface StackBootstrapArgs {
  readonly root: string;
  readonly role: HandRole;
  /** Which of the builders, from 1. */
  readonly number: number;
  readonly stack: string;
  /** Says to a person what the text lacks as yet. */
  readonly tell: (line: string) => void;
}

interface Found {
  /** Host and port of the machine. */
  readonly address: string;
  readonly settings: BootstrapSettings;
}

/** What the build host's scripts answered; nothing before the first `up` came that far. */
interface Known {
  readonly pushKey: string | undefined;
  readonly builderKey: string | undefined;
}

export async function stackBootstrap({ root, role, number, stack, tell }: StackBootstrapArgs): Promise<{ address: string; text: string }> {
  const config = machinesOf(await readStackConfig(root, stack));
  const { address, settings } = await roles[role](config, { root, stack, number, tell, known: () => readKnown(root, stack) });
  return { address, text: textFor(settings) };
}

interface Context {
  readonly root: string;
  readonly stack: string;
  readonly number: number;
  readonly tell: (line: string) => void;
  readonly known: () => Promise<Known>;
}

/** What a machine that is set up by hand needs of the configuration. */
type MachinesConfig = Pick<Config, "buildHost" | "binaryCache" | "builders" | "substituters">;

const roles: { readonly [R in HandRole]: (config: MachinesConfig, context: Context) => Promise<Found> } = {
  async build(config, { stack }) {
    if (config.buildHost.kind !== "ssh") throw noMachine("comfyui:buildHost.kind", config.buildHost.kind, "ssh");
    return { address: addressed(config.buildHost), settings: buildSettings(config, { stack, nixpkgs: readNixpkgs() }) };
  },

  async cache({ binaryCache }, { stack, tell, known }) {
    if (binaryCache.kind !== "nix-serve") throw noMachine("comfyui:binaryCache.kind", binaryCache.kind, "nix-serve");
    const { pushKey } = await known();
    if (pushKey === undefined) tell("the build host has no key to push with yet: run this again after the first `pulumi up`, which stops where it would push");
    return { address: addressed(binaryCache.host), settings: cacheSettings(binaryCache, { stack, pushKeys: pushKey === undefined ? [] : [pushKey], nixpkgs: readNixpkgs() }) };
  },

  async builder(config, { number, tell, known }) {
    const hosts = config.builders.kind === "none" ? [] : config.builders.hosts;
    const builder = hosts[number - 1];
    if (builder === undefined) throw noMachine("comfyui:builders", `${hosts.length} builders`, `builder ${number}`);
    const { builderKey } = await known();
    if (builderKey === undefined) tell("the build host has no key to log in with yet: run this again after it was set up with its builders, and `pulumi up` has looked at it");
    return { address: addressed(builder), settings: builderSettings(config, builder, builderKey === undefined ? [] : [builderKey]) };
  },
};

function addressed({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host}:${port}`;
}

function noMachine(where: string, found: string, expected: string): FaultError {
  const fault: Fault = { code: "OPS_ROLE", where, problem: "the stack has no such machine", found, expected };
  return new FaultError([fault]);
}

/** Of a stack whose machines are all there: the address of one that the stack makes is not in its configuration. */
function machinesOf({ buildHost, binaryCache, builders, substituters }: StackConfig): MachinesConfig {
  if (buildHost.kind === "ec2") throw noMachine("comfyui:buildHost.kind", "ec2, which `pulumi up` makes and sets up itself", "ssh");
  if (builders.kind === "ec2") throw noMachine("comfyui:builders.kind", "ec2, which `pulumi up` makes and sets up itself", "ssh");
  if (binaryCache.kind === "nix-serve" && binaryCache.host.kind === "ec2") throw noMachine("comfyui:binaryCache.host.kind", "ec2, which `pulumi up` makes and sets up itself", "ssh");
  // A bucket of the stack's is for a build host on EC2 alone, as the configuration was checked for.
  return { buildHost, binaryCache: binaryCache as Config["binaryCache"], builders, substituters };
}

async function readKnown(root: string, stack: string): Promise<Known> {
  const state = await readState(root, stack);
  return { pushKey: state.answer("comfyui-cache", cacheAnswer)?.pushKey, builderKey: state.answer("comfyui-host", hostAnswer)?.builderKey ?? undefined };
}
