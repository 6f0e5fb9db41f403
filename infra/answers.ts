import { z } from "zod";

/** One file of the image: a compressed tar. Sizes are bytes, `tarSize` before compression; `diffId` is the tar's own digest. */
export const blob = z.object({ mediaType: z.string(), digest: z.string(), diffId: z.string(), size: z.number(), tarSize: z.number() });

/** What a stack's output tells of a layer. Sizes are bytes, times seconds. */
export const layerOutput = z.object({
  fingerprint: z.string(),
  /** The layer's contents in the Nix store. */
  storePath: z.string(),
  /** The layer's blobs, in the image's order: one, or several where the flavor has a `blobLimit`; none for a layer that is none. */
  blobs: z.array(blob),
  /** Time from the start of the build to the layer's last byte in the cache; of the recorded build where nothing was built. */
  seconds: z.number(),
  /** Derivations built, and store paths fetched from a cache, by this run. */
  built: z.number(),
  substituted: z.number(),
  /** Nothing was built or fetched: `seconds` are those of the build on record. */
  reused: z.boolean(),
  /** All of it is in the binary cache, signed. False where the cache was down and its `onFailure` is `continue`: the next run pushes what is lacking. */
  cached: z.boolean(),
});

export type LayerOutput = z.output<typeof layerOutput>;

/** Bytes of a layer in the image. */
export function blobsSize({ blobs }: Pick<LayerOutput, "blobs">): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}

/** Answer of build-layer.sh. The log lies on the host. */
export const layerAnswer = layerOutput.extend({ layer: z.string(), startedAt: z.string(), endedAt: z.string(), log: z.string() });

export type LayerAnswer = z.output<typeof layerAnswer>;

/** Answer of publish-image.sh. */
export const imageAnswer = z.object({
  /** Where the image is, for tools such as skopeo: docker://… or oci:…; by tag. */
  reference: z.string(),
  tag: z.string(),
  digest: z.string(),
  /** Bytes of all blobs, configs and manifests. */
  size: z.number(),
  status: z.enum(["published", "already published"]),
  sentBytes: z.number(),
  skippedBytes: z.number(),
  seconds: z.number(),
  /** Where the stack has several systems: the image of each, by system; `digest` is then the index's. Sizes are bytes of config, manifest and blobs. */
  images: z.record(z.string(), z.object({ digest: z.string(), size: z.number() })).optional(),
});

export type ImageAnswer = z.output<typeof imageAnswer>;

/** Answer of ready.sh. `builderKey`: the public key by which the host reaches its builders, where it has any. */
export const hostAnswer = z.object({ nix: z.string(), system: z.string(), builderKey: z.string().nullable() });

/** Answer of open-cache.sh. `pushKey`: the public key by which the build host pushes, where the cache is a machine of its own. */
export const cacheAnswer = z.object({ location: z.string(), publicKey: z.string(), pushKey: z.string().optional() });

/** Reads a host script's answer; an answer of another form is a fault of the script, so zod's own error will do. */
export function parseAnswer<T>(schema: z.ZodType<T>, text: string): T {
  return schema.parse(JSON.parse(text));
}
