/** What a stand-in knows of the store's paths: from the store's database, as harmonia, or from Nix's daemon, as nix-serve. */
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";

export const STORE = "/nix/store";
const DATABASE = "/nix/var/nix/db/db.sqlite";

export interface PathInfo {
  readonly path: string;
  /** SHA-256 of its archive, as Nix writes it: 52 digits. */
  readonly narHash: string;
  readonly narSize: number;
  /** Store paths, as are those that follow. */
  readonly references: readonly string[];
  readonly deriver: string | undefined;
  readonly signatures: readonly string[];
  /** By which its content alone vouches for it. */
  readonly ca: string | undefined;
}

/** The valid path whose name begins with these 32 digits. */
export type Find = (hashPart: string) => Promise<PathInfo | undefined>;

const DIGITS = "0123456789abcdfghijklmnpqrsvwxyz";

/** Nix's base 32: the bytes are one number, the last byte first, and its digits have an alphabet of their own. */
function nix32(hash: Buffer): string {
  const number = BigInt(`0x${Buffer.from(hash).reverse().toString("hex")}`).toString(32);
  return [...number.padStart(52, "0")].map((digit) => DIGITS[Number.parseInt(digit, 32)]).join("");
}

const word = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);
const words = (value: unknown): string[] => (word(value) ?? "").split(" ").filter(Boolean);

/** Reads the database, which is opened at the first request; throws where the user may not. */
export function fromDatabase(): Find {
  let opened: DatabaseSync | undefined;
  return async (hashPart) => {
    opened ??= new DatabaseSync(DATABASE, { readOnly: true, timeout: 10_000 });
    const row = opened.prepare("SELECT * FROM ValidPaths WHERE path >= ? ORDER BY path LIMIT 1").get(`${STORE}/${hashPart}`);
    const path = String(row?.["path"]);
    if (row === undefined || !path.startsWith(`${STORE}/${hashPart}-`)) return undefined;
    const references = opened.prepare("SELECT path FROM Refs JOIN ValidPaths ON reference = id WHERE referrer = ? ORDER BY path").all(row["id"] ?? null);
    return {
      path,
      narHash: nix32(Buffer.from(String(row["hash"]).replace("sha256:", ""), "hex")),
      narSize: Number(row["narSize"]),
      references: references.map((each) => String(each["path"])),
      deriver: word(row["deriver"]),
      signatures: words(row["sigs"]),
      ca: word(row["ca"]),
    };
  };
}

/** As far as it is of use here. */
interface Described {
  readonly narHash: string;
  readonly narSize: number;
  readonly references: readonly string[];
  readonly deriver: string | null;
  readonly signatures?: readonly string[];
}

/** Asks the store that NIX_REMOTE names, anew for each request. Like nix-serve it says nothing of a path's `ca`. */
export function fromDaemon(): Find {
  return async (hashPart) => {
    // Beside a path may lie its lock, whose name is longer.
    const [name] = (await readdir(STORE)).filter((each) => each.startsWith(`${hashPart}-`)).sort((a, b) => a.length - b.length);
    if (name === undefined) return undefined;
    const path = `${STORE}/${name}`;
    const said = JSON.parse(await output("nix", ["--extra-experimental-features", "nix-command", "path-info", "--json", path])) as Record<string, Described | null>;
    const info = said[path];
    if (!info) return undefined;
    return {
      path,
      narHash: nix32(Buffer.from(info.narHash.replace("sha256-", ""), "base64")),
      narSize: info.narSize,
      references: info.references,
      deriver: info.deriver ?? undefined,
      signatures: info.signatures ?? [],
      ca: undefined,
    };
  };
}

function output(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, (error, stdout) => (error === null ? resolve(stdout) : reject(error)));
  });
}
