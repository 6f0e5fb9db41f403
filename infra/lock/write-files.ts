/** Writes files all or none: whole new files beside the old ones first, then only renames, and last what is taken away. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { FaultError } from "../faults.ts";

const suffix = ".new";

/** Texts by path. Files that hold their text already are left alone; answers which were written. `away`: paths to remove. */
export function writeFiles(texts: ReadonlyMap<string, string>, away: readonly string[] = []): string[] {
  const changed = [...texts].filter(([path, text]) => !existsSync(path) || readFileSync(path, "utf8") !== text);
  try {
    for (const [path, text] of changed) writeWhole(`${path}${suffix}`, text);
  } catch (error) {
    for (const [path] of changed) rmSync(`${path}${suffix}`, { force: true });
    throw new FaultError([{ code: "LOCK_WRITE", where: (error as NodeJS.ErrnoException).path ?? dirname(changed[0]?.[0] ?? "."), problem: "the new files could not be written; every old one is as it was", found: (error as Error).message }]);
  }
  for (const [path] of changed) renameSync(`${path}${suffix}`, path);
  for (const path of away) rmSync(path);
  return changed.map(([path]) => path);
}

function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const descriptor = openSync(path, "w");
  try {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    // A full disk may say so only here.
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Removes what a killed run left behind in a folder. */
export function removeLeftovers(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) if (name.endsWith(`.json${suffix}`)) rmSync(join(folder, name));
}
