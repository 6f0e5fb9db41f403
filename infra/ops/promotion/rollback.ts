import { FaultError } from "../../faults.ts";
import type { Context } from "../command.ts";
import { goTo, type Move, standing, type Standing, stepBack, type TagSet } from "./history.ts";
import { setAnswer, stackRegistry, tagsAnswer } from "./registry.ts";

export interface Rollback {
  readonly stack: string;
  readonly repository: string;
  readonly moving: string;
  /** The digest that the moving tag had before. */
  readonly before: string;
  /** The tag whose image it has now. */
  readonly to: string;
  readonly set: readonly TagSet[];
  /** The moving tag's promotions, the newest first, and on which of them it stood. */
  readonly history: readonly (Move & { readonly stood: boolean })[];
  readonly dryRun: boolean;
}

export interface RollbackArgs {
  readonly stack: string;
  readonly moving: string;
  /** A tag of the stack's registry. Default: of the promotion before. */
  readonly to: string | undefined;
  readonly dryRun: boolean;
}

export async function rollback({ stack, moving, to, dryRun }: RollbackArgs, context: Context): Promise<Rollback> {
  const target = await stackRegistry(stack, context);
  const { repository, ...tags } = await target.run("read-tags", { tags: to === undefined ? [] : [to], history: moving }, tagsAnswer);
  const before = standing(moving, tags);
  if (before.digest === undefined) throw noneBefore(`${repository}:${moving}`, "no such tag", "npm run ops -- promote");
  const { name, set } = to === undefined ? previous(before, `${repository}:${moving}`) : { name: to, set: goTo(before, { tag: to, digest: digestOf(to, tags.digests, repository) }) };
  if (!dryRun && set.length > 0) await target.run("set-tags", { moves: moving, stands: before.digest, set: set.map((each) => ({ ...each })) }, setAnswer);
  return { stack, repository, moving, before: before.digest, to: name, set, history: before.moves.map((move) => ({ ...move, stood: move === before.current })), dryRun };
}

function previous(before: Standing, where: string): { name: string; set: TagSet[] } {
  const step = stepBack(before);
  if (step === undefined) throw noneBefore(where, `${before.current?.tag ?? "no promotion"}, the first`, "name an image by --to TAG");
  return { name: step.to.image, set: step.set };
}

function digestOf(tag: string, digests: Readonly<Record<string, string | null>>, repository: string): string {
  const digest = digests[tag];
  if (typeof digest === "string") return digest;
  throw new FaultError([{ code: "IMAGE_MISSING", where: `${repository}:${tag}`, problem: "the registry has no such image" }]);
}

function noneBefore(where: string, found: string, fix: string): FaultError {
  return new FaultError([{ code: "PROMOTE_NONE_BEFORE", where, problem: "there is no image to go back to", found, expected: "an image that was promoted before", fix }]);
}
