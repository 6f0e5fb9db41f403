/** What an image was made from: fetched files, as the build host's store knows them, and what the locks say of each. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type LockedFile, parseLockFile } from "../../lock/lock-file.ts";

export const sourcesAnswer = z.object({
  references: z.record(z.string(), z.array(z.string())),
  sources: z.record(z.string(), z.array(z.string())),
  files: z.record(z.string(), z.object({ hash: z.string(), tree: z.boolean() })),
});

export type ImageSources = z.output<typeof sourcesAnswer>;

export interface DebianFile {
  readonly name: string;
  readonly version: string;
  readonly file: string;
  readonly hash: string;
}

/** What the checkout's locks know, by a file's SHA-256 in hex. */
export interface Locks {
  readonly files: ReadonlyMap<string, LockedFile & { readonly layer: string }>;
  readonly debian: ReadonlyMap<string, DebianFile>;
  /** Debian's suite. */
  readonly suite: string;
}

const debianLock = z.object({ suite: z.string(), files: z.array(z.object({ index: z.string(), name: z.string(), version: z.string(), file: z.string(), hash: z.string() })) });

export function readLocks(layers: string, flavor: string): Locks {
  const folder = join(layers, "locks", flavor);
  const files = readdirSync(folder).filter((file) => file.endsWith(".lock.json")).sort().flatMap((file) => {
    const layer = file.slice(0, -".lock.json".length);
    return parseLockFile(readFileSync(join(folder, file), "utf8"), `layers/locks/${flavor}/${file}`).files.map((entry) => [hexOf(entry.hash), { ...entry, layer }] as const);
  });
  // A lock that set-up made where the mirror no longer had the locked versions is what was built with.
  const [relocked, locked] = ["relocked.json", "lock.json"].map((name) => join(layers, "package-sets/debian/debs", name)) as [string, string];
  const { suite, files: debs } = debianLock.parse(JSON.parse(readFileSync(existsSync(relocked) ? relocked : locked, "utf8")));
  return { files: new Map(files), debian: new Map(debs.filter(({ index }) => index === "debian").map((each) => [hexOf(each.hash), each])), suite };
}

/** sha256-BASE64 as hex digits. */
export function hexOf(sri: string): string {
  return Buffer.from(sri.slice("sha256-".length), "base64").toString("hex");
}
