/** Whether what a stack needs of its cache is there, and signed. */
import { closureOf } from "./closure.ts";
import type { Inventory } from "./inventory.ts";
import type { CachedStack } from "./open-cache.ts";
import { signer } from "./path-info.ts";

export type Trouble = "missing" | "unsigned" | "damaged";

export interface BadPath {
  readonly stack: string;
  /** A layer, or `image`. */
  readonly part: string;
  readonly path: string;
  readonly trouble: Trouble;
  readonly detail?: string;
}

export interface PartHealth {
  readonly stack: string;
  readonly part: string;
  /** The layer's fingerprint, or the image's tag. */
  readonly key: string;
  /** Paths of it and of what it refers to, as far as they are there. */
  readonly paths: readonly string[];
  /** Bytes of their archives. */
  readonly size: number;
  readonly bad: readonly BadPath[];
}

/** Each layer of the stack with its blob and its checks, and the image. */
export function healthOf(inventory: Inventory, { name: stack, owner, layers, image }: CachedStack): PartHealth[] {
  const parts = [
    ...layers.map(({ layer, fingerprint, storePath }) => ({ part: layer, key: fingerprint, roots: [storePath.replace("/nix/store/", ""), ...rootsOf(inventory, owner, `layers/${layer}/${fingerprint}`, `layers/${layer}`)] })),
    ...(image === undefined ? [] : [{ part: "image", key: image.tag, roots: rootsOf(inventory, owner, `images/${image.tag}`, `images/${image.tag}`) }]),
  ];
  const signed = signer(inventory.publicKeys);
  return parts.map(({ part, key, roots }) => {
    const { present, missing } = closureOf(inventory.infos, roots);
    const infos = [...present].flatMap((path) => inventory.infos.get(path) ?? []);
    const unsigned = infos.filter((info) => info.ca === "" && !signed(info));
    const gone = inventory.files.size === 0 ? [] : infos.filter(({ url }) => !inventory.files.has(url));
    const bad = [
      ...[...missing].map((path) => ({ path, trouble: "missing" as const })),
      ...gone.map(({ path, url }) => ({ path, trouble: "missing" as const, detail: `its archive ${url}` })),
      ...unsigned.map(({ path }) => ({ path, trouble: "unsigned" as const })),
    ];
    return { stack, part, key, paths: [...present], size: infos.reduce((sum, { fileSize }) => sum + fileSize, 0), bad: bad.map((each) => ({ stack, part, ...each })) };
  });
}

/** By the cache's own pin; where it has none, or does not list them, by what the build host keeps. */
function rootsOf({ pins, local }: Inventory, owner: string, name: string, here: string): readonly string[] {
  const pinned = pins.find((pin) => pin.owner === owner && pin.name === name);
  return (pinned ?? local.find((pin) => pin.name === here))?.paths ?? [];
}

/** One of each path: layers share most of what they refer to. */
export function distinct(bad: readonly BadPath[]): BadPath[] {
  return [...new Map(bad.toReversed().map((each) => [each.path, each])).values()].toReversed();
}
