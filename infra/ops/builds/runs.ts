/** The runs of a stack's layers and of its image, as the build host's history has them. */
import { z } from "zod";
import { hostAnswer } from "../../answers.ts";
import { FaultError } from "../../faults.ts";
import { type LayerCommand, layerCommands, runName } from "../../system-names.ts";
import type { OpenedStack } from "../stack.ts";

const common = {
  /** The layer, or `image`. */
  name: z.string(),
  /** The fingerprint of what was to be built. */
  key: z.string(),
  /** On the build host; old ones are gone. */
  log: z.string(),
  startedAt: z.string(),
  endedAt: z.string(),
  /** Of this run, all of it. */
  seconds: z.number(),
  /** What in the request differs from the last run that came to its end; null: that was the first one. */
  changes: z.array(z.object({ path: z.array(z.string()), old: z.string().optional(), new: z.string().optional() })).nullable(),
};

/** Sizes are bytes. `cut-off`: the script was killed; whether its build came to an end, the next run says. */
export const run = z.discriminatedUnion("outcome", [
  z.object({ ...common, outcome: z.literal("failed"), code: z.string().optional() }),
  z.object({ ...common, outcome: z.literal("cut-off") }),
  z.object({
    ...common,
    outcome: z.literal("done"),
    /** Of a layer: derivations built, and store paths fetched from a cache. */
    built: z.number().optional(),
    substituted: z.number().optional(),
    reused: z.boolean().optional(),
    cached: z.boolean().optional(),
    storePath: z.string().optional(),
    /** Of all that the layer needs, in the Nix store. */
    closureSize: z.number().optional(),
    /** Of its blobs, compressed and not. */
    sizes: z.array(z.number()).optional(),
    tarSizes: z.array(z.number()).optional(),
    /** Of the image. */
    status: z.string().optional(),
    digest: z.string().optional(),
    size: z.number().optional(),
    sentBytes: z.number().optional(),
  }),
]);

export type Run = z.output<typeof run>;
export type DoneRun = Extract<Run, { outcome: "done" }>;

/** A run, and how much more it holds than the last one before it that came to its end. */
export type MeasuredRun = Run & {
  /** Of the layer's blobs, of the whole image, or of the store paths where the layer is no blob; undefined where the run did not end well. */
  readonly bytes?: number;
  readonly growth?: { readonly bytes: number; readonly percent: number };
};

const runsAnswer = z.object({ runs: z.array(run), running: z.array(z.object({ name: z.string(), log: z.string(), startedAt: z.string() })) });

export interface History {
  /** By name, in the order of the image; oldest first. */
  readonly runs: ReadonlyMap<string, readonly MeasuredRun[]>;
  readonly running: z.output<typeof runsAnswer>["running"];
}

/** A layer's command, and its name on the build host. */
export type BuiltLayer = LayerCommand & { readonly run: string };

/** The layers of each system, in the order of the image. */
export function builtLayers({ plan, state }: OpenedStack): BuiltLayer[] {
  const { systems } = plan.config;
  const own = state.answer("comfyui-host", hostAnswer)?.system ?? (systems[0] as string);
  return layerCommands(plan.graph, systems).map((command) => ({ ...command, run: runName(command.layer.attr, command.system, own) }));
}

/** What a stack builds, in the order of the image, by the names on the build host. */
export function buildNames(stack: OpenedStack): string[] {
  return [...builtLayers(stack).map(({ run }) => run), "image"];
}

/** The names that a command's argument means: all without one. Throws a FaultError where there is no such layer. */
export function namesFor(stack: OpenedStack, name: string | undefined): string[] {
  const names = buildNames(stack);
  if (name === undefined) return names;
  if (!names.includes(name)) throw new FaultError([{ code: "OPS_LAYER", where: `stack ${stack.name}`, problem: "the stack has no such layer", found: name, expected: names.join(", ") }]);
  return [name];
}

/** All runs that the build host knows. */
export async function readHistory(stack: OpenedStack): Promise<History> {
  const names = buildNames(stack);
  const { runs, running } = await stack.onBuildHost("ops/builds", { flavor: stack.plan.settings.flavor, names }, runsAnswer);
  return { running, runs: new Map(names.map((name) => [name, measured(runs.filter((each) => each.name === name))])) };
}

/** Runs of one name, oldest first. */
export function measured(runs: readonly Run[]): MeasuredRun[] {
  let before: number | undefined;
  return runs.map((each) => {
    if (each.outcome !== "done") return each;
    const bytes = bytesOf(each);
    const growth = before === undefined || before === 0 ? undefined : { bytes: bytes - before, percent: ((bytes - before) / before) * 100 };
    before = bytes;
    return { ...each, bytes, ...(growth && { growth }) };
  });
}

function bytesOf({ size, sizes = [], closureSize = 0 }: DoneRun): number {
  if (size !== undefined) return size;
  return sizes.length > 0 ? sizes.reduce((sum, each) => sum + each, 0) : closureSize;
}
