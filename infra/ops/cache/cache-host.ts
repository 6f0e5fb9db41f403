/** What root of a cache host does for the operators. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { canonicalJson, type Json } from "../../canonical-json.ts";
import { FaultError } from "../../faults.ts";
import { addressOf, type SshTarget } from "../../ssh/target.ts";
import type { Context } from "../command.ts";
import { runAsRoot } from "../script.ts";
import type { StackState } from "../state.ts";
import type { Inventory } from "./inventory.ts";
import { parsePathInfos } from "./path-info.ts";
import { parsePins } from "./pins.ts";

/** The command that sets it up, by its admin's login. */
const BOOTSTRAP = "comfyui-binary-cache-bootstrap";

export function hasAdmin(state: StackState): boolean {
  return state.target(BOOTSTRAP) !== undefined;
}

/** What somebody who is root there can do without this program. */
const BY_HAND: Readonly<Record<string, (stack: string) => string>> = {
  drop: (stack) => `; or by hand, as root there: rm -r /nix/var/nix/gcroots/comfyui/${stack}/images/TAG for each image that is to go, then nix-collect-garbage`,
};

/** Its login for a request of infra/hosts/ops/cache-host.sh. Throws CACHE_NO_ADMIN where the stack has none. */
export function adminFor(request: string, state: StackState): SshTarget {
  const target = state.target(BOOTSTRAP);
  if (target !== undefined) return target;
  throw new FaultError([
    {
      code: "CACHE_NO_ADMIN",
      where: `stack ${state.stack}`,
      problem: "the stack may not log in to its cache's host as root",
      found: "no binaryCache.host.admin in the last `pulumi up`",
      expected: "a user who is root there, or becomes root by sudo without a password",
      fix: `set binaryCache.host.admin and run \`pulumi up\`${BY_HAND[request]?.(state.stack) ?? ""}`,
    },
  ]);
}

/** Runs one request of infra/hosts/ops/cache-host.sh. */
export async function onCacheHost<T>(state: StackState, request: { readonly do: string; readonly [key: string]: Json }, answer: z.ZodType<T>, { root, tell }: Context): Promise<T> {
  const target = adminFor(request.do, state);
  tell(`asking ${addressOf(target)}`);
  return runAsRoot(answer, target, { text: hostText(root, request), tell });
}

/** What root's shell gets. */
export function hostText(root: string, request: { readonly [key: string]: Json }): string {
  const scripts = ["messages.sh", "path-infos.sh", "ops/cache-host.sh"].map((name) => readFileSync(join(root, "infra/hosts", name), "utf8"));
  return `REQUEST=$(cat <<'REQUEST'\n${canonicalJson(request)}\nREQUEST\n)\n${scripts.join("")}`;
}

const hostInventory = z.object({ infos: z.string(), pins: z.string(), digest: z.string(), freeBytes: z.number(), others: z.array(z.string()) });

/** All that the host has, instead of what its readers were asked for; its readers' words count for what both know. */
export async function withHost(inventory: Inventory, state: StackState, context: Context): Promise<Inventory> {
  const { infos, pins, digest, freeBytes, others } = await onCacheHost(state, { do: "inventory" }, hostInventory, context);
  const all = new Map(parsePathInfos(infos).map((info) => [info.path, info]));
  return { ...inventory, infos: new Map([...all, ...inventory.infos]), pins: parsePins(pins), digest, freeBytes, roots: others };
}
