/** What a stack has on record and is there no more, and what mends it. */
import { z } from "zod";
import { imageAnswer } from "../answers.ts";
import type { Json } from "../canonical-json.ts";
import { FaultError, faultTable } from "../faults.ts";
import type { OpenedStack } from "./stack.ts";
import { notUp, type StackState } from "./state.ts";

/** What infra/hosts/ops/drift.sh looks at. */
const subjects = ["store", "cache", "cache-host", "cache-record", "signature", "key", "registry", "image", "taken"] as const;
type Subject = (typeof subjects)[number] | "host";

const driftAnswer = z.object({ findings: z.array(z.object({ subject: z.enum(subjects), name: z.string(), problem: z.string() })) });

/** One thing that is not as the state has it. */
export interface Finding {
  readonly subject: Subject;
  /** What it is about: a resource's name, or the machine. */
  readonly what: string;
  readonly problem: string;
  /** A command line, or what a person has to do first. */
  readonly mend: string;
}

const again = (name: string) => `pulumi up --yes --replace '**::${name}'`;

/** By subject: what brings it back. A layer's command takes from the cache what is there, and pushes what the cache lacks. */
const mends: Readonly<Record<(typeof subjects)[number], (name: string) => string>> = {
  store: again,
  cache: again,
  "cache-host": () => "start the cache's host and its server; then this command again",
  "cache-record": again,
  signature: () => "npm run --silent ops -- cache verify",
  key: () => "restore the key from its backup; without one: npm run --silent ops -- cache rotate-key --help",
  registry: () => "see that the registry runs and that the build host is logged in there; then this command again",
  image: again,
  taken: () => "find out who pushed it; remove that tag, then: pulumi up --replace '**::comfyui-publish-image'",
};

const part = z.record(z.string(), z.json());
const ready = z.object({ cache: part, registry: part });
const publish = "comfyui-publish-image";

/** The script's request, from what the stack's commands asked for and answered. */
export function driftRequest(state: StackState): { readonly [key: string]: Json } {
  const request = state.request("comfyui-host", ready);
  if (request === undefined) throw new FaultError([notUp(state.stack)]);
  const image = state.answer(publish, imageAnswer);
  const layers = state.layers().flatMap(({ name, request: { layer, system }, answer }) => (answer === undefined ? [] : [{ name, layer, system, storePath: answer.storePath }]));
  return { ...(request as { readonly [key: string]: Json }), layers, ...(image && { image: { name: publish, tag: image.tag, digest: image.digest } }) };
}

/** All that is not as the last `up` left it. */
export async function findDrift({ state, onBuildHost }: OpenedStack): Promise<Finding[]> {
  try {
    const { findings } = await onBuildHost("ops/drift", driftRequest(state), driftAnswer);
    return findings.map(({ subject, name, problem }) => ({ subject, what: name === "" ? subject : name, problem, mend: mends[subject](name) }));
  } catch (error) {
    const fault = error instanceof FaultError ? error.faults.find(({ code }) => code.startsWith("HOST_")) : undefined;
    if (fault === undefined) throw error;
    return [{ subject: "host", what: fault.where, problem: `${fault.problem}${fault.found === undefined ? "" : `: ${fault.found}`}`, mend: fault.fix ?? faultTable[fault.code].cure }];
  }
}
