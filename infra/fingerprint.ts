import { hash } from "node:crypto";
import { canonicalJson, type Json } from "./canonical-json.ts";
import type { FileDigest, LayerInputs } from "./input-files.ts";
import { flavorOf, type Layer, type LayerGraph, onClosure, smokeOf } from "./layer-graph.ts";

/** What beside its files decides a layer's content. */
export interface BuildSettings {
  readonly flavor: string;
  readonly system: string;
  readonly compression: string;
}

/** Fingerprints of all layers (64 hex digits), by attr. */
export type Fingerprints = ReadonlyMap<string, string>;

/** How fingerprints and digests are shown, tagged and compared on hosts: 12 hex digits, with the `+x` of a digest. */
export function short(digest: string): string {
  const [hex = "", mark] = digest.split("+");
  return mark === undefined ? hex.slice(0, 12) : `${hex.slice(0, 12)}+${mark}`;
}

/**
 * A Merkle key for each layer: its own entry of layers.json, its input files (bytes and executable bit), the settings, and
 * the keys of the layers below it, in the image's order: of two layers that bring the same program the upper one wins.
 * Two equal keys mean the same derivations; no Nix, no network, no clock is asked.
 */
export function fingerprintLayers(graph: LayerGraph, inputs: LayerInputs, settings: BuildSettings): Fingerprints {
  const keys = new Map<string, string>();
  for (const layer of graph.layers) {
    const below = onClosure(graph, layer.attr).flatMap(({ attr }) => (attr === layer.attr ? [] : [[attr, keys.get(attr) as string]]));
    keys.set(layer.attr, digest({ ...layerContent(graph, layer, inputs.get(layer.attr) ?? {}, settings), below }));
  }
  return keys;
}

function layerContent(graph: LayerGraph, layer: Layer, files: Readonly<Record<string, FileDigest>>, settings: BuildSettings): { readonly [key: string]: Json } {
  // The order of execution is no content: without `after`, a layer moved behind another keeps its key.
  const { after: _after, ...entry } = layer;
  return { entry: { ...entry, smoke: smokeOf(layer, settings.flavor) } as Json, inputs: files, ...settings, from: flavorOf(graph, settings.flavor) };
}

/** The image's key: the fingerprints of its blobs, lowest first. It is the tag's source, so it is known before anything is built. */
export function fingerprintImage(graph: LayerGraph, fingerprints: Fingerprints): string {
  return digest(imageLayers(graph).map(({ attr }) => [attr, fingerprints.get(attr) as string]));
}

/** The key of what is published: the image's own, or one over the images of several systems, in whatever order they are given. */
export function fingerprintIndex(images: { readonly [system: string]: string }): string {
  const [only, ...more] = Object.values(images);
  return only !== undefined && more.length === 0 ? only : digest(images);
}

/** The layers that are blobs of the image, lowest first. */
export function imageLayers(graph: LayerGraph): Layer[] {
  return graph.layers.filter(({ blob }) => blob);
}

function digest(value: Json): string {
  return hash("sha256", canonicalJson(value), "hex");
}
