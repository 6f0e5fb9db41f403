/** A real SSH agent of a test's own. */
import { join } from "node:path";
import type { Cleanup } from "./cleanup.ts";
import { run, start } from "./process.ts";

/** An SSH agent of its own with this key; its socket's path. */
export async function startAgent(folder: string, privateKey: string, cleanup: Cleanup): Promise<string> {
  const socket = join(folder, "agent.sock");
  const running = start("ssh-agent", ["-D", "-a", socket]);
  cleanup.add(() => running.stop());
  await running.outputMatches(/SSH_AUTH_SOCK/);
  await run("ssh-add", ["-q", "-"], { input: privateKey, env: { ...process.env, SSH_AUTH_SOCK: socket } as Record<string, string> });
  return socket;
}
