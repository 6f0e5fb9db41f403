/** Runs the engine's preview of a stack, for all who tell people what it means. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { parsePreview, type Preview } from "./steps.ts";

/** What `pulumi up` would do. A preview that fails has its `errors`: the engine's own words, also where it could not even begin. */
export async function runPreview(root: string, stack: string): Promise<Preview> {
  const child = spawn("pulumi", ["preview", "--json", "--non-interactive", "--color", "never", "--stack", stack], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  const preview = stdout.trimStart().startsWith("{") ? parsePreview(stdout) : { rows: new Map(), config: {}, errors: [] };
  const silent = code !== 0 && preview.errors.length === 0;
  return silent ? { ...preview, errors: [stderr.trim() || `pulumi ended with ${code} and said nothing`] } : preview;
}
