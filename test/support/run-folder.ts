/** The folder of one run of the tests or of the benchmark: all that it writes to the temporary folder is in there. */
import { existsSync, mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { freemem, tmpdir } from "node:os";
import { join } from "node:path";

/** What the tests of a whole run need at most, and other programs beside them. */
const ROOM = 16e9;

/** A folder in memory where there is room, since stores and machines wait for each of their writes to be on a disk. */
export function fastestFolder(): string {
  const memory = "/dev/shm";
  if (process.env.TMPDIR !== undefined || !existsSync(memory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memory);
  return Math.min(bavail * bsize, freemem()) >= ROOM ? memory : tmpdir();
}

/** Removes what killed runs left behind, which would take the room of this one. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const [, pid] = /^comfyui-run-(\d+)-/.exec(name) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(parent, name), { recursive: true, force: true });
  }
}

/** Makes it in `parent` and tells this process and its children of it; the caller removes it. */
export function makeRunFolder(parent = tmpdir()): string {
  sweep(parent);
  const folder = mkdtempSync(join(parent, `comfyui-run-${process.pid}-`));
  process.env.TMPDIR = process.env.COMFYUI_TEST_RUN = folder;
  // Copies of the project at paths that never come again would fill the checkout's.
  process.env.NODE_COMPILE_CACHE = join(folder, "node-cache");
  return folder;
}
