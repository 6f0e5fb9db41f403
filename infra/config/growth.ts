/** The section of the configuration for how much an image may grow. */
import { z } from "zod";
import { checked } from "./checked.ts";

const imageTag = checked("CONFIG_NAME", "an image's tag, 12 hex digits, as the error names it", (tag) => /^[0-9a-f]{12}$/.test(tag), "this is no image's tag");

/**
 * A publish that makes the image, or one of its layers, larger by more than `percent` of the last published one (compressed; of
 * the same registry, flavor and systems; by more than 1 MB) is refused with PUBLISH_GROWTH, before a byte is sent. The yes is
 * COMFYUI_ACCEPT_GROWTH=1 for one `pulumi up`, or `accept` for one image. Default: an image may grow. Re-runs nothing: it is
 * asked when a publish runs.
 */
export const growth = z
  .strictObject({
    /** More than 0; the first publish has nothing to be compared with. */
    percent: z.number().positive(),
    /** The tag of an image that may be published though it has grown; it has no effect on any other. Default: none. */
    accept: z.union([imageTag, z.number().int().transform(String).pipe(imageTag)]).optional(),
  })
  .optional();

export type GrowthConfig = NonNullable<z.output<typeof growth>>;
