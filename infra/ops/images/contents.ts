/** What published images are made of, read from their registries. */
import type { Command } from "commander";
import { z } from "zod";
import { type OpenedStack, stackName, stackOption, type StackOption } from "../stack.ts";
import { type StackRegistry, stackRegistry } from "../promotion/registry.ts";
import type { Context } from "../command.ts";
import { type PackageMetadata, parseMetadata } from "./metadata.ts";

const descriptor = z.object({ digest: z.string(), size: z.number() });
const image = z.object({
  reference: z.string(),
  digest: z.string(),
  manifest: z.object({ config: descriptor, layers: z.array(descriptor) }),
  config: z.object({ history: z.array(z.object({ created_by: z.string().optional(), empty_layer: z.boolean().optional() })).default([]) }),
});
const blobContents = z.object({ paths: z.record(z.string(), z.number()), files: z.number(), metadata: z.array(z.object({ path: z.string(), text: z.string() })) });
export const imagesAnswer = z.object({ images: z.array(image), blobs: z.record(z.string(), blobContents) });

export type ImagesAnswer = z.output<typeof imagesAnswer>;

export interface ImageLayer {
  /** As layers.json names it; of an image that is not ours, `blob N`. */
  readonly name: string;
  readonly blobs: readonly { readonly digest: string; readonly size: number }[];
}

/** A Python package in a blob that was read. */
export interface PythonPackage extends PackageMetadata {
  readonly layer: string;
  /** The store path that holds it, without its folder. */
  readonly storePath: string;
}

export interface ReadImage {
  readonly reference: string;
  readonly digest: string;
  readonly layers: readonly ImageLayer[];
  /** Of the blobs that were read: store paths without their folder, each with its bytes and layer. */
  readonly paths: ReadonlyMap<string, { readonly bytes: number; readonly layer: string }>;
  readonly python: readonly PythonPackage[];
}

/** The images, and of their blobs those that not all of them have; of one image, all. */
export function readContents({ images, blobs }: ImagesAnswer): ReadImage[] {
  return images.map(({ reference, digest, manifest, config }) => {
    const layers = layersOf(manifest.layers, config.history.filter(({ empty_layer }) => empty_layer !== true).map(({ created_by }) => created_by));
    const paths = new Map<string, { bytes: number; layer: string }>();
    const python: PythonPackage[] = [];
    for (const { name: layer, blobs: own } of layers) {
      for (const contents of own.flatMap(({ digest }) => blobs[digest] ?? [])) {
        // A layer of several blobs may cut a store path.
        for (const [path, bytes] of Object.entries(contents.paths)) paths.set(path, { bytes: bytes + (paths.get(path)?.bytes ?? 0), layer });
        for (const { path, text } of contents.metadata) {
          const found = parseMetadata(text);
          if (found !== undefined) python.push({ ...found, layer, storePath: path.split("/")[3] as string });
        }
      }
    }
    return { reference, digest, layers, paths, python };
  });
}

/** A layer of several blobs says `NAME PART/COUNT` of each. */
function layersOf(blobs: readonly z.output<typeof descriptor>[], createdBy: readonly (string | undefined)[]): ImageLayer[] {
  const layers = new Map<string, { digest: string; size: number }[]>();
  for (const [at, { digest, size }] of blobs.entries()) {
    const [, name = `blob ${at + 1}`] = /^([a-z0-9-]+)(?: \d+\/\d+)?$/.exec(createdBy[at] ?? "") ?? [];
    layers.set(name, [...(layers.get(name) ?? []), { digest, size }]);
  }
  return [...layers].map(([name, own]) => ({ name, blobs: own }));
}

export interface ImageOptions extends StackOption {
  /** False: registries of whole references are asked without TLS. */
  readonly tls: boolean;
}

export function imageOptions(command: Command): Command {
  stackOption(command);
  return command.option("--no-tls", "ask the registries of whole references without TLS, on a trusted network");
}

/** Opens the stack and reads images by a tag of its registry, or by whole references. */
export async function readImages(names: readonly string[], options: ImageOptions, context: Context): Promise<{ stack: OpenedStack; registry: StackRegistry; images: ReadImage[] }> {
  const registry = await stackRegistry(await stackName(options, context), context);
  const images = names.map((name) => imageOf(name, registry.registry as { repository?: string; tls?: boolean }, options.tls));
  return { stack: registry.stack, registry, images: readContents(await registry.run("read-images", { images }, imagesAnswer)) };
}

/** A tag, or docker://HOST/NAME:TAG, HOST/NAME@sha256:…, oci:FOLDER:TAG. The stack's own registry is asked as it is configured. */
export function imageOf(name: string, own: { readonly repository?: string; readonly tls?: boolean }, tls: boolean): { tag: string } | { reference: string; tls: boolean } {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(name)) return { tag: name };
  const reference = /^(docker:\/\/|oci:)/.test(name) ? name : `docker://${name}`;
  const hostOf = (text: string) => text.replace(/^docker:\/\//, "").split("/")[0];
  return { reference, tls: own.repository !== undefined && hostOf(own.repository) === hostOf(reference) ? (own.tls ?? true) : tls };
}
