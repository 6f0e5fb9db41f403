import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../command.ts";
import { type ImageOptions, readImages, type ReadImage } from "../images/contents.ts";
import { takeInventory } from "./model.ts";
import { readLocks, sourcesAnswer } from "./sources.ts";

export interface Sbom {
  readonly image: ReadImage;
  readonly components: number;
  readonly document: string;
}

/** The software bill of materials of an image that the stack's build host has put together. */
export async function makeSbom(name: string, options: ImageOptions, context: Context): Promise<Sbom> {
  const { stack: { plan: { config } }, registry, images } = await readImages([name], options, context);
  const image = images[0] as ReadImage;
  const sources = await registry.run("image-sources", { digest: image.digest }, sourcesAnswer);
  const locks = readLocks(join(context.root, "layers"), config.flavor.kind);
  const inventory = takeInventory(image, sources, locks);
  // Large, and of no use to any other command.
  const { cycloneDx } = await import("./cyclonedx.ts");
  const document = cycloneDx({
    image,
    inventory,
    suite: locks.suite,
    tool: (JSON.parse(readFileSync(join(context.root, "package.json"), "utf8")) as { version: string }).version,
    timestamp: timestampOf(context.env["SOURCE_DATE_EPOCH"]),
  });
  return { image, components: inventory.parts.length, document };
}

/** Seconds since 1970 (reproducible-builds.org, SOURCE_DATE_EPOCH). */
function timestampOf(text: string | undefined): Date | undefined {
  return text !== undefined && /^\d+$/.test(text) ? new Date(Number(text) * 1000) : undefined;
}
