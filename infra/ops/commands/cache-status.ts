import { cut, humanSize, table } from "../../table.ts";
import { type BadPath, distinct, healthOf, type PartHealth } from "../cache/health.ts";
import type { Inventory } from "../cache/inventory.ts";
import { type CachedStack, liveTags, openCache } from "../cache/open-cache.ts";
import { signer } from "../cache/path-info.ts";
import { type Generation, generationsOf } from "../cache/pins.ts";
import type { OpsCommand } from "../command.ts";
import { stackOption, type StackOption } from "../stack.ts";

export const cacheStatus: OpsCommand<[], StackOption> = {
  name: "cache status",
  summary: "whether the cache answers, what it holds, and whether each layer of each stack is there and signed",
  description: "Stacks are those that share the cache, as far as this Pulumi backend knows them.",
  examples: [
    ["cache status", "of the selected stack's cache"],
    ["cache status --stack team --json | jq .problem", "why it cannot be read; null where it can"],
  ],
  options: stackOption,
  async run(_args, options, context) {
    const cache = await openCache(options, context);
    const inventory = await cache.read();
    const parts = cache.stacks.flatMap((stack) => (inventory.problem === undefined ? healthOf(inventory, stack) : []));
    const summary = summaryOf(inventory, cache.stacks, generationsOf(inventory.pins, liveTags(cache)));
    const bad = distinct(parts.flatMap((part) => part.bad));
    return {
      json: { kind: cache.kind, ...summary, parts: parts.map(({ paths, ...part }) => ({ ...part, paths: paths.length })) },
      text: [table(rowsOf(cache.kind, summary)), "", partsTable(parts), ...(bad.length === 0 ? [] : ["", "npm run --silent ops -- cache verify   names what is wrong"])].join("\n"),
      found: inventory.problem !== undefined || bad.length > 0,
    };
  },
};

type Summary = ReturnType<typeof summaryOf>;

function summaryOf(inventory: Inventory, stacks: readonly CachedStack[], generations: readonly Generation[]) {
  const infos = [...inventory.infos.values()];
  const signed = signer(inventory.publicKeys);
  const layers = stacks.flatMap((stack) => stack.layers);
  const total = (key: "built" | "substituted") => layers.reduce((sum, layer) => sum + layer[key], 0);
  const oldest = generations.filter(({ kept }) => kept === "pinned").at(-1) ?? generations.at(-1);
  return {
    problem: inventory.problem ?? null,
    location: inventory.location,
    publicKeys: inventory.publicKeys,
    paths: infos.length,
    unsigned: infos.filter((info) => info.ca === "" && !signed(info)).length,
    bytes: inventory.files.size > 0 ? [...inventory.files.values()].reduce((sum, size) => sum + size, 0) : infos.reduce((sum, { fileSize }) => sum + fileSize, 0),
    freeBytes: inventory.freeBytes ?? null,
    images: generations.map(({ owner, tag, time, kept = null }) => ({ owner, tag, at: new Date(time * 1000).toISOString(), kept })),
    oldest: oldest === undefined ? null : { tag: oldest.tag, at: new Date(oldest.time * 1000).toISOString() },
    lastBuilds: { built: total("built"), substituted: total("substituted") },
  };
}

function rowsOf(kind: string, summary: Summary): string[][] {
  const { problem, location, publicKeys, paths, unsigned, bytes, freeBytes, images, oldest, lastBuilds } = summary;
  const made = lastBuilds.built + lastBuilds.substituted;
  const fitted = (text: string) => cut(text, 66);
  return [
    ["cache", fitted(`${kind}, ${location}`)],
    ["answers", problem === null ? "yes" : fitted(`no: ${problem.replaceAll("\n", " ")}`)],
    ...publicKeys.map((key, at) => [at === 0 ? "key" : "trusted", fitted(key)]),
    ["holds", `${paths} paths, ${humanSize(bytes)}${freeBytes === null ? "" : `; ${humanSize(freeBytes)} free`}`],
    ["unsigned", `${unsigned} paths`],
    ["images", `${images.length}${oldest === null ? "" : `; the oldest ${images.some(({ kept }) => kept === "pinned") ? "pinned one " : ""}is ${oldest.tag} of ${oldest.at.slice(0, 10)}`}`],
    ["last runs", made === 0 ? "nothing was built or fetched" : `${lastBuilds.built} built, ${lastBuilds.substituted} from caches (${Math.round((100 * lastBuilds.substituted) / made)} %)`],
  ];
}

function partsTable(parts: readonly PartHealth[]): string {
  const rows = parts.map(({ stack, part, key, paths, size, bad }) => [stack.slice(0, 16), part.slice(0, 16), key, String(paths.length), humanSize(size), stateOf(bad)]);
  return table([["STACK", "PART", "KEY", "PATHS", "SIZE", "STATE"], ...rows], [3, 4]);
}

function stateOf(bad: readonly BadPath[]): string {
  const counts = (["missing", "unsigned"] as const).map((trouble) => [bad.filter((each) => each.trouble === trouble).length, trouble] as const).filter(([count]) => count > 0);
  return counts.length === 0 ? "ok" : counts.map(([count, trouble]) => `${count} ${trouble}`).join(", ");
}
