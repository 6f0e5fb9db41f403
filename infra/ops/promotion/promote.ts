import { z } from "zod";
import { imageAnswer } from "../../answers.ts";
import { FaultError } from "../../faults.ts";
import type { Context } from "../command.ts";
import type { Place } from "../script.ts";
import { type Move, promotion, standing, type TagSet } from "./history.ts";
import { notUp, samePlace, setAnswer, stackRegistry, type StackRegistry, tagsAnswer } from "./registry.ts";

const copied = z.object({ reference: z.string(), digest: z.string(), size: z.number(), status: z.enum(["copied", "already there", "to be copied"]), sentBytes: z.number() });

export interface Promotion extends z.output<typeof copied> {
  readonly from: string;
  readonly to: string;
  /** The image's own tag. */
  readonly tag: string;
  readonly moving: string;
  /** The digest that the moving tag had before. */
  readonly before: string | null;
  /** Where the moving tag stood in its history. */
  readonly stood: Move | null;
  /** Tags that were set, or with dryRun would be. */
  readonly set: readonly TagSet[];
  readonly dryRun: boolean;
}

export interface PromoteArgs {
  readonly from: string;
  readonly to: string;
  readonly moving: string;
  readonly dryRun: boolean;
}

/** Brings the image that `from` published last to the registry of `to`, and the moving tag to it. */
export async function promote({ from, to, moving, dryRun }: PromoteArgs, context: Context): Promise<Promotion> {
  const [source, target] = await Promise.all([stackRegistry(from, context), stackRegistry(to, context)]);
  const image = source.stack.state.answer("comfyui-publish-image", imageAnswer);
  if (image === undefined) throw notUp(from, "no published image in its state");
  const { tag, digest, reference } = image;
  needInReach(reference, [{ stack: from, place: source.place }, { stack: to, place: target.place }]);
  const { kind, tls } = tlsOf(source);
  const copy = await target.run("copy-image", { source: { reference, digest, tls: kind !== "registry" || tls !== false }, tag, dryRun }, copied);
  const known = await target.run("read-tags", { tags: [], history: moving }, tagsAnswer);
  const before = standing(moving, known);
  const set = promotion(before, { tag, digest });
  if (!dryRun && set.length > 0) await target.run("set-tags", { moves: moving, stands: before.digest ?? null, set: set.map((each) => ({ ...each })) }, setAnswer);
  return { from, to, tag, moving, ...copy, before: before.digest ?? null, stood: before.current ?? null, set, dryRun };
}

type StackPlace = { readonly stack: string; readonly place: Place };

/** An image in a folder is seen by its own build host alone, and the copy is made by the target's. */
export function needInReach(reference: string, [from, to]: readonly [StackPlace, StackPlace]): void {
  if (!reference.startsWith("oci:") || samePlace(from.place, to.place)) return;
  throw new FaultError([{ code: "PROMOTE_PLACES", where: `stacks ${from.stack} and ${to.stack}`, problem: `the image lies in a folder of ${from.stack}'s build host, and ${to.stack}'s is another`, found: reference, expected: "a registry, or one build host for both" }]);
}

function tlsOf({ registry }: StackRegistry): { kind?: unknown; tls?: unknown } {
  return registry as { kind?: unknown; tls?: unknown };
}
