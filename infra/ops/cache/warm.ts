/** What the next `up` of a stack will want from its cache. */
import { short } from "../../fingerprint.ts";
import type { Config } from "../../config.ts";
import { imageTag, type Plan, plansBySystem } from "../../request.ts";
import type { Inventory } from "./inventory.ts";
import type { CachedStack } from "./open-cache.ts";
import type { Pin } from "./pins.ts";

export interface Wanted {
  readonly layer: string;
  /** Whether the cache has it as it is now; else what it was built with last is wanted. */
  readonly built: boolean;
  /** Names in /nix/store. */
  readonly paths: readonly string[];
}

/** `plan`: of the checkout as it is now. The image has a row of its own, where it was published already. */
export function wantedOf(plan: Plan<Pick<Config, "systems">>, { pins }: Pick<Inventory, "pins">, { owner, layers }: CachedStack): Wanted[] {
  const own = pins.filter((pin) => pin.owner === owner);
  const rows = plansBySystem(plan).flatMap(({ fingerprints }) => [...fingerprints]).map(([layer, fingerprint]): Wanted => {
    const key = short(fingerprint);
    const pinned = own.find(({ name }) => name === `layers/${layer}/${key}`);
    // A cache whose pins are not known here has at least the contents.
    const known = layers.find((each) => each.layer === layer && each.fingerprint === key);
    const paths = pinned?.paths ?? (known === undefined ? undefined : [known.storePath.replace("/nix/store/", "")]);
    return paths === undefined ? { layer, built: false, paths: toolsOf(own, layer) } : { layer, built: true, paths };
  });
  const image = own.find(({ name }) => name === `images/${imageTag(plan)}`);
  return image === undefined ? rows : [...rows, { layer: "image", built: true, paths: image.paths }];
}

/** All that was there to build the layer when it was built last. */
function toolsOf(pins: readonly Pin[], layer: string): readonly string[] {
  const builds = pins.filter(({ name }) => name.startsWith(`layers/${layer}/`));
  const last = builds.filter(({ name }) => !name.includes("/with/")).sort((a, b) => b.time - a.time)[0];
  return last === undefined ? [] : builds.filter(({ name }) => name.startsWith(`${last.name}/with/`)).flatMap(({ paths }) => paths);
}
