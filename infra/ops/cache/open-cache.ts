/** A stack's cache, and the stacks that share it. */
import { z } from "zod";
import { type ImageAnswer, imageAnswer, type LayerAnswer } from "../../answers.ts";
import { canonicalJson, type Json } from "../../canonical-json.ts";
import { FaultError } from "../../faults.ts";
import { pulumi } from "../../quickstart/pulumi-cli.ts";
import type { Context } from "../command.ts";
import { openStack, type OpenedStack, type StackOption } from "../stack.ts";
import { type LayerState, StackState } from "../state.ts";
import { hasAdmin, withHost } from "./cache-host.ts";
import { inventoryAnswer, type Inventory, inventoryOf } from "./inventory.ts";

const cacheRequest = z.record(z.string(), z.string());
const hostRequest = z.object({ cache: cacheRequest });

type Settings = Pick<LayerState["request"], "flavor" | "system" | "compression">;

/** A stack whose layers are in the cache. */
export interface CachedStack {
  readonly name: string;
  /** By which the cache tells its pins from others'. */
  readonly owner: string;
  /** In the graph's order. */
  readonly layers: readonly LayerAnswer[];
  /** What its last `up` published; none before the first. */
  readonly image: ImageAnswer | undefined;
}

export interface OpenedCache {
  readonly stack: OpenedStack;
  readonly kind: string;
  readonly own: CachedStack;
  /** All that this backend knows, the own one first. */
  readonly stacks: readonly CachedStack[];
  /** What every request of a script about it has. */
  readonly request: { readonly [key: string]: Json };
  read(): Promise<Inventory>;
  /** The machine that the cache is, where the stack may log in there as root: what it alone knows is in the inventory too. */
  readonly admin: boolean;
}

export async function openCache(options: StackOption, context: Context): Promise<OpenedCache> {
  const stack = await openStack(options, context);
  const own = cachedStack(stack.state);
  const request = stack.state.request("comfyui-host", hostRequest);
  if (own === undefined || request === undefined) {
    throw new FaultError([{ code: "OPS_NOT_UP", where: `stack ${stack.name}`, problem: "nothing was built with this stack yet", found: "no layer in its state", expected: "a stack after `pulumi up`" }]);
  }
  const common = { cache: request.cache, substituters: [], ...own.settings };
  const stacks = [own, ...(await sharing(stack, context))];
  const paths = stacks.flatMap(({ layers }) => layers.map(({ storePath }) => storePath.replace("/nix/store/", "")));
  const admin = hasAdmin(stack.state);
  return {
    stack,
    kind: request.cache["kind"] ?? "",
    own,
    stacks,
    request: common,
    admin,
    async read() {
      const seen = inventoryOf(await stack.onBuildHost("ops/cache-inventory", { ...common, paths }, inventoryAnswer));
      return admin && seen.problem === undefined ? withHost(seen, stack.state, context) : seen;
    },
  };
}

/** Tags of the images that the last `up` of a stack published. */
export function liveTags({ stacks }: OpenedCache): Set<string> {
  return new Set(stacks.flatMap(({ image }) => (image === undefined ? [] : [image.tag])));
}

/** A folder's pins do not say whose they are, but what is built. */
function cachedStack(state: StackState): (CachedStack & { readonly settings: Settings }) | undefined {
  const commands = state.layers();
  const kind = state.request("comfyui-host", hostRequest)?.cache["kind"];
  if (commands[0] === undefined || kind === undefined) return undefined;
  const { flavor, system, compression } = commands[0].request;
  return {
    name: state.stack,
    owner: kind === "directory" ? `${flavor}-${compression}` : state.stack,
    layers: commands.flatMap(({ answer }) => answer ?? []).sort((a, b) => (a.layer < b.layer ? -1 : 1)),
    image: state.answer("comfyui-publish-image", imageAnswer),
    settings: { flavor, system, compression },
  };
}

async function sharing({ name, state }: OpenedStack, { root }: Context): Promise<CachedStack[]> {
  const listed = z.array(z.object({ name: z.string() })).parse(JSON.parse(await pulumi(["stack", "ls", "--json"], root)));
  const others = listed.map((each) => each.name).filter((other) => other !== name && !other.endsWith(`/${name}`));
  // Without their secrets: what is asked of them is none, and their passphrase may be another.
  const states = await Promise.all(others.map(async (other) => new StackState(other, JSON.parse(await pulumi(["stack", "export", "--stack", other], root)))));
  return states.filter((other) => whichCache(other) === whichCache(state)).flatMap((other) => cachedStack(other) ?? []);
}

/** A folder is a host's own; others go by their name, whatever the key. */
function whichCache(state: StackState): string | undefined {
  const cache = state.request("comfyui-host", hostRequest)?.cache;
  if (cache === undefined) return undefined;
  const target = cache["kind"] === "directory" ? state.target("comfyui-host") : undefined;
  return canonicalJson({ kind: cache["kind"] ?? "", name: cache["name"] ?? cache["path"] ?? "", host: target === undefined ? null : `${target.user}@${target.host}:${target.port}/${state.stack}` });
}
