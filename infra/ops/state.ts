/** What a stack's state knows of its resources: `pulumi stack export`, with its secrets in clear, in memory alone. */
import { z } from "zod";
import { type LayerAnswer, layerAnswer, parseAnswer } from "../answers.ts";
import { type Fault, FaultError } from "../faults.ts";
import { resourceName } from "../preview/steps.ts";
import { pulumi } from "../quickstart/pulumi-cli.ts";
import { stackFolder } from "../ssh/stack-folder.ts";
import type { SshTarget } from "../ssh/target.ts";
import type { Place } from "./script.ts";

const record = z.record(z.string(), z.unknown());
const resource = z.object({ urn: z.string(), type: z.string(), inputs: record.default({}), outputs: record.default({}) });
const exported = z.object({ deployment: z.object({ resources: z.array(resource).default([]) }) });
const outputsOf = "pulumi:pulumi:Stack";

export type StateResource = z.output<typeof resource>;

const layerRequest = z.object({ layer: z.string(), flavor: z.string(), system: z.string(), compression: z.string() });
const hop = z.object({ host: z.string(), port: z.number(), user: z.string(), hostKey: z.string(), privateKey: z.string().optional() });
const connection = hop.extend({ proxy: hop.optional() });

/** A layer's command; without an answer it never ended well. */
export interface LayerState {
  readonly name: string;
  readonly request: z.output<typeof layerRequest>;
  readonly answer: LayerAnswer | undefined;
}

export class StackState {
  readonly stack: string;
  /** By logical name. */
  readonly resources: ReadonlyMap<string, StateResource>;
  /** The stack's outputs, as the last `up` left them. */
  readonly outputs: Readonly<Record<string, unknown>>;

  constructor(stack: string, document: unknown) {
    this.stack = stack;
    const { deployment } = exported.parse(inClear(document));
    this.resources = new Map(deployment.resources.map((each) => [resourceName(each.urn), each]));
    this.outputs = deployment.resources.find(({ type }) => type === outputsOf)?.outputs ?? {};
  }

  /** What the command's script answered, in the last `up` in which it ran; undefined where there is no such command, or it never ended. */
  answer<T>(name: string, schema: z.ZodType<T>): T | undefined {
    const stdout = this.resources.get(name)?.outputs["stdout"];
    return typeof stdout === "string" && stdout !== "" ? parseAnswer(schema, stdout) : undefined;
  }

  /** The request that the command ran with. */
  request<T>(name: string, schema: z.ZodType<T>): T | undefined {
    const stdin = this.resources.get(name)?.inputs["stdin"];
    return typeof stdin === "string" ? parseAnswer(schema, stdin) : undefined;
  }

  /** The commands of layers, by what they were asked for: a layer may have any name. */
  layers(): LayerState[] {
    return [...this.resources].flatMap(([name, { inputs }]) => {
      const stdin = inputs["stdin"];
      const request = typeof stdin === "string" && stdin.startsWith("{") ? layerRequest.safeParse(JSON.parse(stdin)).data : undefined;
      return request === undefined ? [] : [{ name, request, answer: this.answer(name, layerAnswer) }];
    });
  }

  /** How the command's machine is reached; undefined where it is this machine, or there is no such command. */
  target(name: string): SshTarget | undefined {
    const given = this.resources.get(name)?.inputs["connection"];
    if (given === undefined) return undefined;
    const { proxy: jump, ...target } = connection.parse(given);
    return { ...target, ...(jump && { jump }) };
  }

  /** Where the stack builds, as the last `up` had it. Throws a FaultError where none has got so far. */
  buildHost(root: string): Place {
    if (!this.resources.has("comfyui-host")) throw new FaultError([notUp(this.stack)]);
    const there = this.target("comfyui-host");
    return there === undefined ? { here: root } : { there, folder: stackFolder(this.stack) };
  }
}

export function notUp(stack: string): Fault {
  return { code: "OPS_NOT_UP", where: `stack ${stack}`, problem: "nothing was built with this stack yet", found: "no comfyui-host in its state", expected: "a stack after `pulumi up`" };
}

export async function readState(root: string, stack: string): Promise<StackState> {
  return new StackState(stack, JSON.parse(await pulumi(["stack", "export", "--show-secrets", "--stack", stack], root)));
}

/** Marks a secret in a state. https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig.go */
const SIGNATURE = "4dabf18193072939515e22adb298388d";

/** The document with each secret as the value that it is. */
function inClear(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inClear);
  if (typeof value !== "object" || value === null) return value;
  if (SIGNATURE in value && "plaintext" in value) return inClear(JSON.parse(String(value.plaintext)));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inClear(item)]));
}
