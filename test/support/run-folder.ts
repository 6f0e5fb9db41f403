/** The folder of one run of the tests or of the benchmark: all that it writes to the temporary folder is in there. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Makes it and tells this process and its children of it; the caller removes it. */
export function makeRunFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "comfyui-run-"));
  process.env.TMPDIR = process.env.COMFYUI_TEST_RUN = folder;
  // Copies of the project at paths that never come again would fill the checkout's.
  process.env.NODE_COMPILE_CACHE = join(folder, "node-cache");
  return folder;
}
