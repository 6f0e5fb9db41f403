import { z } from "zod";
import { table } from "../../table.ts";
import { openCache } from "../cache/open-cache.ts";
import { wantedOf } from "../cache/warm.ts";
import type { OpsCommand } from "../command.ts";
import { stackOption, type StackOption } from "../stack.ts";
import { readable } from "./cache-verify.ts";

export const cacheWarm: OpsCommand<[], StackOption> = {
  name: "cache warm",
  summary: "fetches from the cache, into the build host's store, what the next `up` of this checkout will need",
  description: `Layers that are built already come as they are; of those that the next \`up\` builds, what they were built with last. It stays there
until the next \`cache warm\`, also through a garbage collection.`,
  examples: [["cache warm --stack team", "before the build host is needed, such as after it was replaced"]],
  options: stackOption,
  async run(_args, options, context) {
    const cache = await openCache(options, context);
    const wanted = wantedOf(cache.stack.plan, await readable(cache), cache.own);
    const paths = [...new Set(wanted.flatMap((each) => each.paths))];
    const { fetched } = await cache.stack.onBuildHost("ops/cache-warm", { ...cache.request, substituters: cache.stack.plan.config.substituters, paths }, z.object({ fetched: z.number() }));
    const rows = wanted.map(({ layer, built, paths: own }) => [layer.slice(0, 30), built ? "as it is" : "will be built", String(own.length)]);
    return { json: { wanted, fetched }, text: `${table([["LAYER", "", "PATHS"], ...rows], [2])}\n\n${fetched} paths fetched; the others were there` };
  },
};
