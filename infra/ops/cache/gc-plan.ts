/** What a collection takes from a cache: which generations go, which paths with them, and how much that frees. */
import { closureOf, referrersFirst } from "./closure.ts";
import type { PathInfo } from "./path-info.ts";
import { type Generation, generationsOf, mainName, type Pin } from "./pins.ts";

export interface GcInput {
  readonly pins: readonly Pin[];
  readonly infos: ReadonlyMap<string, PathInfo>;
  /** Archives that the cache has, in bytes; empty where it keeps none. */
  readonly files: ReadonlyMap<string, number>;
  /** Whose generations are counted. Those of others all stay. */
  readonly owner: string;
  /** How many of the newest stay; others only where they are live or pinned. */
  readonly keep: number;
  /** Tags of the images that the last `up` of a stack published, of every stack that is known. */
  readonly live: ReadonlySet<string>;
  /** Paths that something else keeps. */
  readonly roots: readonly string[];
  /** Whether what no pin names stays: in a cache that hosts push to which do not pin. Default: it goes. */
  readonly unnamedStay?: boolean;
}

export interface GcPlan {
  readonly generations: readonly (Generation & { readonly stays: boolean })[];
  /** Pins that go: `OWNER/NAME`. */
  readonly pins: readonly string[];
  /** Paths that go, each before what it refers to. */
  readonly paths: readonly string[];
  /** Archives that go, and what they free. */
  readonly files: readonly string[];
  readonly bytes: number;
  /** An image that stays was published before its build tools were noted: what no pin names may be one of them, and stays too. */
  readonly unpinnedStay: boolean;
}

export function planGc(input: GcInput): GcPlan {
  const { pins, infos, files, owner, keep } = input;
  const generations = staying(generationsOf(pins, input.live), owner, keep);
  const gone = goingPins(input, generations);
  const goes = ({ owner: whose, name }: Pin) => gone.has(`${whose}/${mainName(name)}`);
  const [going, stay] = [pins.filter(goes), pins.filter((pin) => !goes(pin))];
  const needed = [...stay.flatMap(({ paths }) => paths), ...input.roots];

  const unpinnedStay = lacksTools(input, generations);
  // Only what an image that goes is made of: what it was built with, the one whose tools are not known may have been built with too.
  const named = closureOf(infos, going.filter(({ name }) => !unpinnedStay || name === mainName(name)).flatMap(({ paths }) => paths)).present;
  const spared = unpinnedStay || input.unnamedStay === true ? [...infos.keys()].filter((path) => !named.has(path)) : [];
  const live = closureOf(infos, [...needed, ...spared]).present;
  const dead = new Set([...infos.keys()].filter((path) => !live.has(path)));
  const goingFiles = deadFiles(input, dead);
  const bytes = files.size === 0 ? sum([...dead].map((path) => infos.get(path)?.narSize ?? 0)) : sum(goingFiles.map((file) => files.get(file) ?? 0));
  return { generations, pins: going.map(({ owner: whose, name }) => `${whose}/${name}`), paths: referrersFirst(infos, dead), files: goingFiles, bytes, unpinnedStay };
}

function staying(generations: readonly Generation[], owner: string, keep: number): GcPlan["generations"] {
  const newest = new Set(generations.filter((each) => each.owner === owner).slice(0, keep));
  return generations.map((each) => ({ ...each, stays: each.owner !== owner || each.kept !== undefined || newest.has(each) }));
}

/** Images beyond the limit; of the layers those that no image which stays was made of, unless they are newer than all: an `up` is not done yet. */
function goingPins({ pins, infos, owner }: GcInput, generations: GcPlan["generations"]): ReadonlySet<string> {
  const own = generations.filter((each) => each.owner === owner);
  const images = new Set(own.filter(({ stays }) => !stays).map(({ tag }) => `${owner}/images/${tag}`));
  const stayingImages = pins.filter(({ owner: whose, name }) => whose === owner && /^(images|live|named)\b/.test(name) && !images.has(`${owner}/${mainName(name)}`));
  const used = closureOf(infos, stayingImages.flatMap(({ paths }) => paths)).present;
  const layers = pins.filter(({ owner: whose, name }) => whose === owner && /^layers\/[^/]+\/[^/]+$/.test(name));
  const current = newestBefore(layers, own.filter(({ stays }) => stays).map(({ time }) => time));
  const newest = own[0]?.time ?? 0;
  const going = layers.filter((pin) => pin.time < newest && !current.has(pin) && !pin.paths.some((path) => used.has(path)));
  return new Set([...images, ...going.map(({ name }) => `${owner}/${name}`)]);
}

/** Of each layer the pin that was the last at each of these times: also a layer that an image is not made of, but was made with. */
function newestBefore(layers: readonly Pin[], times: readonly number[]): ReadonlySet<Pin> {
  const byLayer = Map.groupBy(layers, ({ name }) => name.split("/")[1]);
  return new Set([...byLayer.values()].flatMap((pins) => times.flatMap((time) => pins.filter((pin) => pin.time <= time).reduce<Pin[]>((best, pin) => (best[0] === undefined || pin.time > best[0].time ? [pin] : best), []))));
}

function lacksTools({ pins, live }: GcInput, generations: GcPlan["generations"]): boolean {
  const noted = new Set(pins.map(({ owner, name }) => `${owner}/${name}`));
  const tags = new Set(generations.map(({ tag }) => tag));
  return [...live].some((tag) => !tags.has(tag)) || generations.some(({ owner, tag, stays }) => stays && !noted.has(`${owner}/images/${tag}/with/0`));
}

/** Archives of the dead, and such as nothing names; paths of equal content share one. */
function deadFiles({ infos, files }: GcInput, dead: ReadonlySet<string>): string[] {
  const used = new Set([...infos.values()].filter(({ path }) => !dead.has(path)).map(({ url }) => url));
  return [...files.keys()].filter((file) => !used.has(file));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
