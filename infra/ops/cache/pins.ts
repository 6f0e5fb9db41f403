/** What a cache keeps on purpose: pins, each a name with store paths. Of them an image's are its generation. */

export interface Pin {
  /** Whose it is: a stack's name; in a folder, which knows no stacks, what the stack builds. */
  readonly owner: string;
  /** `images/TAG`, `layers/LAYER/FINGERPRINT`, `named/TAG`, `live`; with `/with/NUMBER` behind it: what was there to build that. */
  readonly name: string;
  /** Seconds since 1970. */
  readonly time: number;
  /** Names in /nix/store. */
  readonly paths: readonly string[];
}

/** A line `Pin: OWNER/NAME TIME`, then its paths, a line each. */
export function parsePins(text: string): Pin[] {
  return text.split(/^(?=Pin: )/m).flatMap((each) => {
    const [head = "", ...paths] = each.split("\n");
    const [, owner = "", name = "", time = ""] = /^Pin: ([^/ ]+)\/(\S+) ([\d.]+)$/.exec(head) ?? [];
    return owner === "" ? [] : [{ owner, name, time: Number(time), paths: paths.filter(Boolean).map((path) => path.replace("/nix/store/", "")) }];
  });
}

/** The pin that another belongs to: what was there to build an image goes with the image. */
export function mainName(name: string): string {
  return name.replace(/\/with\/\d+$/, "");
}

/** One published image in a cache. */
export interface Generation {
  readonly owner: string;
  readonly tag: string;
  readonly time: number;
  /** Why it is kept whatever its age: a stack's last `up` published it, or a person said so. */
  readonly kept: "live" | "pinned" | undefined;
}

/** Newest first. `live`: tags that a stack's state names, of any stack. */
export function generationsOf(pins: readonly Pin[], live: ReadonlySet<string>): Generation[] {
  const sameAs = ({ owner, paths }: Pin) => [owner, ...[...paths].sort()].join(" ");
  const published = new Set(pins.filter(({ name }) => name === "live").map(sameAs));
  const named = new Set(pins.filter(({ name }) => name.startsWith("named/")).map(({ name }) => name.slice("named/".length)));
  return pins
    .flatMap((pin) => {
      const { owner, name, time } = pin;
      const [, tag] = /^images\/([^/]+)$/.exec(name) ?? [];
      if (tag === undefined) return [];
      const isLive = live.has(tag) || published.has(sameAs(pin));
      return [{ owner, tag, time, kept: isLive ? ("live" as const) : named.has(tag) ? ("pinned" as const) : undefined }];
    })
    .sort((a, b) => b.time - a.time || (a.tag < b.tag ? -1 : 1));
}
