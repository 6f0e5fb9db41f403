/** What differs between two images. */
import type { ReadImage } from "./contents.ts";
import { parseStoreName } from "./store-name.ts";

export interface LayerDifference {
  readonly layer: string;
  /** Bytes; null where the image has no such layer. */
  readonly sizes: readonly [number | null, number | null];
  /** Bytes of its blobs that only the second image has: what a host with the first one pulls. */
  readonly pulled: number;
  readonly same: boolean;
}

export interface PackageDifference {
  readonly kind: "python" | "package";
  readonly name: string;
  readonly layer: string;
  /** Null where the image has none. */
  readonly versions: readonly [string | null, string | null];
}

/** A store path of the same name and version with other content. */
export interface Rebuilt {
  readonly name: string;
  readonly layer: string;
  readonly sizes: readonly [number, number];
}

export interface Differences {
  readonly images: readonly [string, string];
  readonly digests: readonly [string, string];
  readonly same: boolean;
  readonly layers: readonly LayerDifference[];
  readonly packages: readonly PackageDifference[];
  readonly rebuilt: readonly Rebuilt[];
}

export function compareImages(a: ReadImage, b: ReadImage): Differences {
  return {
    images: [a.reference, b.reference],
    digests: [a.digest, b.digest],
    same: a.digest === b.digest,
    layers: compareLayers(a, b),
    packages: [...comparePython(a, b), ...comparePackages(a, b)].toSorted(byLayerAndName),
    rebuilt: rebuilt(a, b).toSorted(byLayerAndName),
  };
}

function byLayerAndName(a: { layer: string; name: string }, b: { layer: string; name: string }): number {
  const key = ({ layer, name }: typeof a) => `${layer} ${name}`;
  return key(a) < key(b) ? -1 : 1;
}

function compareLayers(a: ReadImage, b: ReadImage): LayerDifference[] {
  const names = [...new Set([...a.layers, ...b.layers].map(({ name }) => name))];
  const known = new Set(a.layers.flatMap(({ blobs }) => blobs.map(({ digest }) => digest)));
  return names.map((layer) => {
    const own = [a, b].map(({ layers }) => layers.find(({ name }) => name === layer)?.blobs);
    const [sizes, digests] = [own.map((blobs) => blobs?.reduce((sum, { size }) => sum + size, 0) ?? null), own.map((blobs) => blobs?.map(({ digest }) => digest).join())];
    const pulled = (own[1] ?? []).filter(({ digest }) => !known.has(digest)).reduce((sum, { size }) => sum + size, 0);
    return { layer, sizes: sizes as [number | null, number | null], pulled, same: digests[0] === digests[1] };
  });
}

function comparePython(a: ReadImage, b: ReadImage): PackageDifference[] {
  const [before, after] = [a, b].map(({ python }) => new Map(python.map((each) => [each.name, each]))) as [Map<string, ReadImage["python"][number]>, Map<string, ReadImage["python"][number]>];
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name) => {
    const versions = [before.get(name)?.version ?? null, after.get(name)?.version ?? null] as const;
    return versions[0] === versions[1] ? [] : [{ kind: "python", name, layer: (after.get(name) ?? before.get(name))?.layer ?? "", versions } as const];
  });
}

type Named = { readonly name: string; readonly version: string | undefined; readonly layer: string; readonly bytes: number };

/** Store paths that only this image has, by name. Several of one name stand beside each other. */
function ownPaths(image: ReadImage, other: ReadImage): Map<string, Named[]> {
  const all = [...image.paths].filter(([path]) => !other.paths.has(path)).map(([path, { bytes, layer }]) => ({ ...parseStoreName(path), layer, bytes }));
  return Map.groupBy(all, ({ name }) => name);
}

function pairs(a: ReadImage, b: ReadImage): [name: string, before: Named[], after: Named[]][] {
  const [before, after] = [ownPaths(a, b), ownPaths(b, a)];
  return [...new Set([...before.keys(), ...after.keys()])].map((name) => [name, before.get(name) ?? [], after.get(name) ?? []]);
}

const versionsOf = (all: readonly Named[]) => (all.length === 0 ? null : all.map(({ version }) => version ?? "-").sort().join(", "));

/** Of packages, which have a version; one that is a Python package is told by its own name already. */
function comparePackages(a: ReadImage, b: ReadImage): PackageDifference[] {
  const python = new Set([...a.python, ...b.python].map(({ storePath }) => storePath).filter((path) => parseStoreName(path).version !== undefined).map((path) => parseStoreName(path).name));
  return pairs(a, b).flatMap(([name, before, after]) => {
    const versions = [versionsOf(before), versionsOf(after)] as const;
    const layer = (after[0] ?? before[0])?.layer ?? "";
    return versions[0] === versions[1] || python.has(name) || [...before, ...after].every(({ version }) => version === undefined) ? [] : [{ kind: "package", name, layer, versions } as const];
  });
}

function rebuilt(a: ReadImage, b: ReadImage): Rebuilt[] {
  const bytes = (all: readonly Named[]) => all.reduce((sum, each) => sum + each.bytes, 0);
  return pairs(a, b).flatMap(([name, before, after]) => (versionsOf(before) === versionsOf(after) ? [{ name, layer: after[0]?.layer ?? "", sizes: [bytes(before), bytes(after)] as const }] : []));
}
