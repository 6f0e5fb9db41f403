/** What the package index says of locked files: that it has them, unchanged, and that nobody took them back. */
import type { Fault } from "../faults.ts";
import { type Located, located } from "./check.ts";
import { yankedFault } from "./entries.ts";
import type { FlavorFiles } from "./flavor-files.ts";
import type { IndexClient } from "./index-client.ts";
import { inParallel } from "./in-parallel.ts";

export async function checkWithIndex(files: FlavorFiles, client: IndexClient): Promise<Fault[]> {
  const entries = located(files).filter(({ entry }) => "index" in entry);
  return (await inParallel(entries, async (each) => fileFaults(each, client))).flat();
}

async function fileFaults({ entry, where }: Located, client: IndexClient): Promise<Fault[]> {
  const file = (await client.files(entry.name))?.find((each) => each.file === entry.file);
  if (file === undefined) return [{ code: "LOCK_NO_FILE", where, problem: "the index has no such file", found: entry.file, expected: `a file of ${entry.name} ${entry.version}`, fix: `npm run lock -- update ${entry.name}` }];
  const differ = (what: string, found: string, expected: string): Fault => ({ code: "LOCK_HASH", where, problem: `the index states another ${what} for ${entry.file} than the one locked`, found, expected });
  return [
    ...(file.yanked === undefined ? [] : [yankedFault(entry, file, where)]),
    ...(file.hash === undefined || file.hash === entry.hash ? [] : [differ("hash", file.hash, entry.hash)]),
    ...(file.size === undefined || entry.size === undefined || file.size === entry.size ? [] : [differ("size", `${file.size}`, `${entry.size}`)]),
  ];
}
