/** What the terminal and a pull request both say of changes, in the same words. */
import { humanSize } from "../table.ts";
import type { Changes, CommandChange, Sends } from "./changes.ts";

/** Short enough for a line, long enough to be found in the engine's own output. */
const DIGEST = 7;

/** So many files, layers or settings are named; the others are counted. */
const MOST_NAMES = 8;

/** `3 of 7 layers run, and 2 other resources change: 1 replaced`; `nothing to do`. */
export function headline({ layers, publish, others }: Changes): string {
  const running = layers.filter(({ runs }) => runs).length;
  const commands = `${running} of ${layers.length} layers ${running === 1 ? "runs" : "run"}`;
  const published = publish?.runs === true ? ", the image is published" : "";
  if (running + others.length === 0) return published === "" ? "nothing to do" : `no layer runs${published}`;
  return `${commands}${published}${otherWords(others)}`;
}

function otherWords(others: Changes["others"]): string {
  if (others.length === 0) return "";
  const grave = Map.groupBy(others.filter((each) => each.grave), ({ effect }) => effect);
  const counted = [...grave].map(([effect, each]) => `${each.length} ${effect}`).join(", ");
  return `, ${others.length} other ${others.length === 1 ? "resource changes" : "resources change"}${counted === "" ? "" : `: ${counted}`}`;
}

/** How names that come from the pull request, and the mark of a change, are written. */
export interface Quoting {
  readonly name: (text: string) => string;
  readonly arrow: string;
}

/** Why, a reason an entry. */
export function reasonWords({ because: { files, below, settings } }: Pick<CommandChange, "because">, { name, arrow }: Quoting): string[] {
  const changed = files.map(({ file, how, old, new: now }) => (how === "changed" ? `${name(file)} ${shortened(old)} ${arrow} ${shortened(now)}` : `${name(file)} (${how})`));
  return [...listed(changed, "files"), ...(below.length > 0 ? [`on ${listed(below.map(name), "layers").join(", ")}`] : []), ...listed(settings.map(name), "settings")];
}

/** `1234567`, and `1234567+x` for a program. */
function shortened(digest = ""): string {
  const [hex = "", mark] = digest.split("+");
  return hex.slice(0, DIGEST) + (mark === undefined ? "" : `+${mark}`);
}

function listed(names: readonly string[], what: string): string[] {
  return names.length <= MOST_NAMES ? [...names] : [...names.slice(0, MOST_NAMES), `and ${names.length - MOST_NAMES} more ${what}`];
}

export function timeWords({ expected: { seconds, atLeast, path } }: Changes, name: (text: string) => string): string {
  if (path.length === 0) return "";
  const chain = path.map(name).join(" → ");
  if (atLeast && seconds === 0) return `unknown, since nothing of it was built before: ${chain}`;
  return `${atLeast ? "at least " : "about "}${duration(seconds)}, as the last time: ${chain}`;
}

export function duration(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const whole = Math.round(seconds / 60);
  return whole < 60 ? `${whole} min` : `${Math.floor(whole / 60)} h ${whole % 60} min`;
}

/** What the publish sends. Empty: it does not run. */
export function sendWords({ publish }: Changes, name: (text: string) => string): string {
  if (publish === null || !publish.runs) return "";
  const { everything, layers, bytes }: Sends = publish.sends;
  const size = bytes === null ? "a size that is known once they are built" : `up to ${humanSize(bytes)} by their last sizes`;
  if (layers.length === 0) return "nothing but the image's small files";
  return everything ? `everything that the registry lacks: ${size}` : `the blobs of ${layers.map(name).join(", ")}: ${size}; not those that turn out to be as before`;
}
