/** A stack's registry, and the machine whose login opens it: the stack's build host. */
import { z } from "zod";
import type { Json } from "../../canonical-json.ts";
import { FaultError } from "../../faults.ts";
import type { Context } from "../command.ts";
import { type Place, runScript } from "../script.ts";
import { openStack, type OpenedStack } from "../stack.ts";

const asRequested = z.object({ registry: z.record(z.string(), z.json()) });

export interface StackRegistry {
  readonly stack: OpenedStack;
  readonly place: Place;
  /** As publish-image.sh gets it. */
  readonly registry: Json;
  run<T>(script: string, request: { readonly [key: string]: Json }, answer: z.ZodType<T>): Promise<T>;
}

/** As the last `up` had it; of a stack that was never up, as its configuration says, where that is all there is to know. */
export async function stackRegistry(stack: string, context: Context): Promise<StackRegistry> {
  const opened = await openStack({ stack }, context);
  const { plan: { config }, state } = opened;
  const requested = state.request("comfyui-publish-image", asRequested)?.registry;
  if (requested === undefined && config.registry.kind === "ecr") throw notUp(stack, "no comfyui-publish-image in its state");
  const registry = requested ?? config.registry;
  const place = !state.resources.has("comfyui-host") && config.buildHost.kind === "local" ? { here: context.root } : state.buildHost(context.root);
  return { stack: opened, place, registry, run: (script, request, answer) => runScript(answer, place, { script: `ops/${script}`, request: { ...request, registry }, tell: context.tell }) };
}

export function notUp(stack: string, found: string): FaultError {
  return new FaultError([{ code: "OPS_NOT_UP", where: `stack ${stack}`, problem: "no image was published with this stack yet", found, expected: "a stack after `pulumi up`" }]);
}

/** Whether two scripts would run on one machine. */
export function samePlace(a: Place, b: Place): boolean {
  if ("here" in a || "here" in b) return "here" in a && "here" in b;
  return a.there.host === b.there.host && a.there.port === b.there.port;
}

export const tagsAnswer = z.object({ repository: z.string(), tags: z.array(z.string()), digests: z.record(z.string(), z.string().nullable()) });
export const setAnswer = z.object({ digests: z.record(z.string(), z.string()) });
