import type { Command } from "commander";
import { z } from "zod";
import { FaultError } from "../../faults.ts";
import { cut, table } from "../../table.ts";
import { type BadPath, distinct, healthOf, type PartHealth } from "../cache/health.ts";
import type { Inventory } from "../cache/inventory.ts";
import { mendCache } from "../cache/mend.ts";
import { type OpenedCache, openCache } from "../cache/open-cache.ts";
import type { OpsCommand } from "../command.ts";
import { stackOption, type StackOption } from "../stack.ts";

interface Options extends StackOption {
  readonly deep?: boolean;
  readonly mend?: boolean;
}

export const cacheVerify: OpsCommand<[], Options> = {
  name: "cache verify",
  summary: "whether all that the stacks' layers and images refer to is in the cache, and signed",
  description: `Of the stacks that share the cache, as far as this Pulumi backend knows them. --mend copies what is wrong
to the cache again from the build host's store, on a cache's host by its admin; what the build host lacks is built by the
\`pulumi up\` that it names.`,
  examples: [
    ["cache verify", "a look at what the cache says of each path"],
    ["cache verify --deep", "reads every archive, and compares its hash"],
    ["cache verify --deep --mend", "puts in order what it finds"],
  ],
  options: (command: Command) =>
    stackOption(command)
      .option("--deep", "read the archives, and compare their hashes")
      .option("--mend", "put in order what is wrong"),
  async run(_args, { deep = false, mend = false, ...options }, context) {
    const cache = await openCache(options, context);
    const inventory = await readable(cache);
    const parts = cache.stacks.flatMap((stack) => healthOf(inventory, stack));
    const bad = distinct([...parts.flatMap((part) => part.bad), ...(deep ? await damaged(cache, parts) : [])]);
    const checked = new Set(parts.flatMap(({ paths }) => paths)).size;
    const lacking = mend && bad.length > 0 ? await mendCache(cache, inventory, bad, context) : undefined;
    const left = lacking === undefined ? bad : bad.filter(({ path }) => lacking.includes(path));
    const command = commandFor(left, { deep, mended: lacking !== undefined });
    return { json: { location: inventory.location, checked, deep, bad, left, command: command ?? null }, text: textOf({ bad, left, checked, deep, command }), found: left.length > 0 };
  },
};

/** The inventory of a cache that answers. */
export async function readable(cache: OpenedCache): Promise<Inventory> {
  const inventory = await cache.read();
  if (inventory.problem === undefined) return inventory;
  throw new FaultError([{ code: "CACHE_UNREACHABLE", where: `stack ${cache.stack.name}`, problem: "its cache cannot be read", found: inventory.problem.trim().split("\n")[0] ?? "", expected: `a cache at ${inventory.location}` }]);
}

const checkAnswer = z.object({ damaged: z.array(z.object({ path: z.string(), problem: z.string() })) });

async function damaged({ stack, request }: OpenedCache, parts: readonly PartHealth[]): Promise<BadPath[]> {
  const absent = new Set(parts.flatMap(({ bad }) => bad.filter(({ trouble }) => trouble === "missing").map(({ path }) => path)));
  // The lowest part that it is of.
  const of = new Map(parts.toReversed().flatMap((part) => part.paths.filter((path) => !absent.has(path)).map((path) => [path, part] as const)));
  const answer = await stack.onBuildHost("ops/cache-check", { ...request, paths: [...of.keys()] }, checkAnswer);
  return answer.damaged.map(({ path, problem }) => ({ stack: of.get(path)?.stack ?? "", part: of.get(path)?.part ?? "", path, trouble: "damaged", detail: problem }));
}

function commandFor(left: readonly BadPath[], { deep, mended }: { readonly deep: boolean; readonly mended: boolean }): string | undefined {
  if (left.length === 0) return undefined;
  if (!mended) return `npm run --silent ops -- cache verify${deep ? " --deep" : ""} --mend`;
  const resources = [...new Set(left.map(({ part }) => (part === "image" ? "comfyui-publish-image" : `comfyui-*${part}`)))];
  return `pulumi up ${resources.map((name) => `--replace '**::${name}'`).join(" ")}`;
}

function textOf({ bad, left, checked, deep, command }: { bad: readonly BadPath[]; left: readonly BadPath[]; checked: number; deep: boolean; command: string | undefined }): string {
  const head = `${checked} paths ${deep ? "read" : "looked at"}: ${bad.length === 0 ? "all are there, and signed" : `${bad.length} not in order`}`;
  const rows = bad.map(({ part, path, trouble, detail }) => [trouble, part.slice(0, 16), cut(path, 48), detail]);
  return [
    head,
    ...(bad.length === 0 ? [] : ["", table([["WHAT", "PART", "PATH"], ...rows.map((row) => row.slice(0, 3) as string[])])]),
    ...(left.length < bad.length ? ["", `${bad.length - left.length} were put in order`] : []),
    ...(command === undefined ? [] : ["", `mended by: ${command}`]),
  ].join("\n");
}
