import { type Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { FaultError } from "../../faults.ts";
import { humanSize, table } from "../../table.ts";
import { adminFor, onCacheHost } from "../cache/cache-host.ts";
import { type GcPlan, planGc } from "../cache/gc-plan.ts";
import type { Inventory } from "../cache/inventory.ts";
import { liveTags, type OpenedCache, openCache } from "../cache/open-cache.ts";
import type { Context, OpsCommand } from "../command.ts";
import { stackOption, type StackOption } from "../stack.ts";
import { readable } from "./cache-verify.ts";

interface Options extends StackOption {
  readonly keep: number;
  readonly dryRun?: boolean;
}

/** How often a plan is made anew because pins have changed under it. */
const ATTEMPTS = 3;

export const cacheGc: OpsCommand<[], Options> = {
  name: "cache gc",
  summary: "drops the stack's old images from the cache, with all that nothing else needs",
  description: `The newest N images of the stack stay, and beside them every image that a stack's last \`up\` published or that is pinned.
Other stacks' images all stay. It may be stopped at any time, and run while a stack is built.`,
  examples: [
    ["cache gc --keep 5 --dry-run", "what would go, and how much that frees"],
    ["cache gc --keep 5", "takes it away"],
  ],
  options: (command: Command) =>
    stackOption(command)
      .requiredOption("--keep <n>", "images that stay", keepOf)
      .option("--dry-run", "only say what would go"),
  async run(_args, { keep, dryRun = false, ...options }, context) {
    const cache = await openCache(options, context);
    const plan = await collected(cache, { keep, dryRun }, context);
    return { json: { ...plan, dryRun }, text: dryRun ? shown(plan) : "done", found: dryRun && plan.paths.length + plan.files.length + plan.pins.length > 0 };
  },
};

function keepOf(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new InvalidArgumentError("1 or more is expected");
  return Number(text);
}

async function collected(cache: OpenedCache, { keep, dryRun }: Required<Pick<Options, "keep" | "dryRun">>, context: Context): Promise<GcPlan> {
  if (cache.kind === "nix-serve") adminFor("drop", cache.stack.state);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const inventory = await readable(cache);
    needPins(cache, inventory);
    const plan = planGc({ ...inventory, owner: cache.own.owner, keep, live: liveTags(cache), roots: [...inventory.roots, ...rootsHere(cache, inventory)], unnamedStay: cache.kind === "s3" });
    if (dryRun) return plan;
    context.tell(shown(plan));
    if (await dropped(cache, inventory.digest, plan, context)) return plan;
    context.tell("something was pinned meanwhile: looking again");
  }
  throw new FaultError([{ code: "CACHE_BUSY", where: `stack ${cache.stack.name}`, problem: "pins of its cache change all the time, so nothing was taken away", found: `changes in ${ATTEMPTS} attempts`, expected: "a cache that is left alone for some seconds" }]);
}

/** Throws where pins are not seen: all that is there would look as if nobody needed it. */
export function needPins({ kind, stack }: { readonly kind: string; readonly stack: Pick<OpenedCache["stack"], "name"> }, { lacks }: Pick<Inventory, "lacks">): void {
  if (lacks === undefined) return;
  throw new FaultError([{ code: "CACHE_NO_PINS", where: `stack ${stack.name}`, problem: `its build host cannot see what a cache of kind ${kind} keeps, nor take anything away from it`, found: `no ${lacks} on the build host`, expected: lacks, fix: "install it there, then `pulumi up`: what is pushed from then on is pinned" }]);
}

const dropAnswer = z.object({ done: z.boolean() });

/** False where pins have changed since. */
async function dropped({ kind, stack, request }: OpenedCache, digest: string, { paths, files, pins }: GcPlan, context: Context): Promise<boolean> {
  const wanted = { digest, paths: [...paths], files: [...files], pins: [...pins] };
  const { done } = kind === "nix-serve" ? await onCacheHost(stack.state, { do: "drop", ...wanted }, dropAnswer, context) : await stack.onBuildHost("ops/cache-drop", { ...request, ...wanted }, dropAnswer);
  return done;
}

/** What the build host keeps of live images and of the last builds, also where the cache has no pin of them. */
function rootsHere(cache: OpenedCache, { local }: Inventory): string[] {
  const live = liveTags(cache);
  return local.filter(({ name }) => name.startsWith("layers/") || live.has(name.slice("images/".length))).flatMap(({ paths }) => paths);
}

function shown({ generations, paths, files, bytes, unpinnedStay }: GcPlan): string {
  const going = generations.filter(({ stays }) => !stays);
  const rows = generations.map(({ owner, tag, time, kept, stays }) => [tag, new Date(time * 1000).toISOString().slice(0, 16).replace("T", " "), owner.slice(0, 30), stays ? (kept ?? "stays") : "goes"]);
  const most = 40;
  return [
    ...(rows.length === 0 ? [] : [table([["IMAGE", "PUBLISHED", "OF", ""], ...rows.slice(0, most)]), ...(rows.length > most ? [`… and ${rows.length - most} older ones`] : []), ""]),
    `${going.length} of ${generations.length} images go, with ${paths.length} paths${files.length === 0 ? "" : ` and ${files.length} archives`}: ${humanSize(bytes)}`,
    ...(unpinnedStay ? ["Paths that no pin names stay: an image that stays was published by an earlier version, which noted no build tools."] : []),
  ].join("\n");
}
