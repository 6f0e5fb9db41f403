/** Puts paths of a cache in order, from the build host's store. */
import { z } from "zod";
import type { Context } from "../command.ts";
import { adminFor, onCacheHost } from "./cache-host.ts";
import type { BadPath } from "./health.ts";
import type { Inventory } from "./inventory.ts";
import type { OpenedCache } from "./open-cache.ts";
import { parsePathInfos, type PathInfo, pathInfoText, signatureBy, signedText } from "./path-info.ts";

/** Answers those that the build host lacks. */
export async function mendCache(cache: OpenedCache, inventory: Inventory, bad: readonly BadPath[], context: Context): Promise<string[]> {
  // A push leaves alone what Nix on a cache's host takes for valid.
  const spoilt = cache.kind === "nix-serve" ? bad.filter(({ trouble }) => trouble !== "missing") : [];
  const left = spoilt.length === 0 ? [] : await mendOnHost(cache, inventory, spoilt, context);
  const others = bad.filter((each) => !spoilt.includes(each));
  return others.length === 0 ? left : [...left, ...(await copyAgain(cache, inventory, others))];
}

async function copyAgain({ stack, request }: OpenedCache, { infos }: Inventory, bad: readonly BadPath[]): Promise<string[]> {
  const paths = bad.map(({ path }) => path);
  const files = [...new Set(paths.flatMap((path) => infos.get(path)?.url ?? []))];
  const { lacking } = await stack.onBuildHost("ops/cache-mend", { ...request, paths, files }, z.object({ lacking: z.array(z.string()) }));
  return lacking;
}

const storeAnswer = z.object({ infos: z.string() });
const archivesAnswer = z.object({ archives: z.record(z.string(), z.string()) });

/** Where the cache's path is the build host's and lacks a signature alone, it gets that; otherwise the build host's contents. */
async function mendOnHost(cache: OpenedCache, inventory: Inventory, spoilt: readonly BadPath[], context: Context): Promise<string[]> {
  const { stack } = cache;
  adminFor("repair", stack.state);
  const { binaryCache } = stack.plan.config;
  if (binaryCache.kind === "directory") throw new Error("the stack's cache is another one than in its last `pulumi up`");
  const signature = signatureBy(binaryCache.signingKey);
  const { infos } = await stack.onBuildHost("ops/store-infos", { paths: spoilt.map(({ path }) => path) }, storeAnswer);
  const here = new Map(parsePathInfos(infos).map((info) => [info.path, { ...info, signatures: [signature(info)] }]));
  const isSame = (info: PathInfo) => {
    const there = inventory.infos.get(info.path);
    return there !== undefined && signedText(there) === signedText(info);
  };
  const [unsigned, others]: [PathInfo[], PathInfo[]] = [[], []];
  for (const { path, trouble } of spoilt) {
    const info = here.get(path);
    if (info !== undefined) (trouble === "unsigned" && isSame(info) ? unsigned : others).push(info);
  }
  if (unsigned.length > 0) await onCacheHost(stack.state, { do: "sign", infos: unsigned.map(pathInfoText).join("") }, z.unknown(), context);
  const done = new Set([...unsigned.map(({ path }) => path), ...(await repairThere(cache, others, context))]);
  return spoilt.filter(({ path }) => !done.has(path)).map(({ path }) => path);
}

/** Brings the build host's contents to the cache's host, which takes them in place of its own; answers the paths that it took. */
async function repairThere({ stack, request }: OpenedCache, infos: readonly PathInfo[], context: Context): Promise<string[]> {
  if (infos.length === 0) return [];
  const { archives } = await stack.onBuildHost("ops/cache-archives", { ...request, paths: infos.map(({ path }) => path) }, archivesAnswer);
  const repaired = infos.flatMap((info) => (archives[info.path] === undefined ? [] : [pathInfoText({ ...info, url: `nar/${archives[info.path]}` })]));
  if (repaired.length > 0) await onCacheHost(stack.state, { do: "repair", infos: repaired.join("") }, z.unknown(), context);
  return Object.keys(archives);
}
