import { InvalidArgumentError } from "commander";
import { z } from "zod";
import { onCacheHost } from "../cache/cache-host.ts";
import { type OpenedCache, openCache } from "../cache/open-cache.ts";
import type { Context, OpsCommand } from "../command.ts";
import { stackOption, type StackOption } from "../stack.ts";

export const cachePin: OpsCommand<[string], StackOption> = {
  name: "cache pin <image>",
  summary: "keeps an image of the stack in the cache, whatever `cache gc` takes",
  description: "IMAGE is its tag, such as `cache status --json` lists; a whole reference will do.",
  examples: [["cache pin 489fb0cecc7f", "until `cache unpin 489fb0cecc7f`"]],
  options: stackOption,
  async run([image], options, context) {
    const tag = tagOf(image);
    const paths = await pin(await openCache(options, context), tag, true, context);
    return { json: { tag, pinned: true, paths }, text: `${tag} stays in the cache: ${paths} paths` };
  },
};

export const cacheUnpin: OpsCommand<[string], StackOption> = {
  name: "cache unpin <image>",
  summary: "lets `cache gc` take an image that was pinned",
  examples: [["cache unpin 489fb0cecc7f", "takes nothing away by itself"]],
  options: stackOption,
  async run([image], options, context) {
    const tag = tagOf(image);
    await pin(await openCache(options, context), tag, false, context);
    return { json: { tag, pinned: false }, text: `${tag} is an image like any other` };
  },
};

async function pin(cache: OpenedCache, tag: string, keep: boolean, context: Context): Promise<number> {
  const { kind, stack, request, own } = cache;
  if (kind === "nix-serve" && !keep) {
    await onCacheHost(stack.state, { do: "unpin", pin: `${own.owner}/named/${tag}` }, z.unknown(), context);
    return 0;
  }
  const { paths } = await stack.onBuildHost("ops/cache-pin", { ...request, owner: own.owner, tag, keep }, z.object({ paths: z.number() }));
  return paths;
}

/** The program's tags are fingerprints. */
function tagOf(image: string): string {
  const [, tag] = /(?:^|:)([0-9a-f]{12})$/.exec(image) ?? [];
  if (tag === undefined) throw new InvalidArgumentError(`'${image}' is no image's tag: 12 digits such as 489fb0cecc7f`);
  return tag;
}
