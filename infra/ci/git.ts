import { spawnSync } from "node:child_process";

/** Runs git in a checkout and answers what it printed; throws with what it said where it fails. */
export function git(cwd: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync("git", args, { cwd, encoding: "utf8", maxBuffer: 1 << 28 });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`git ${args.join(" ")} ended with ${status}:\n${stderr.trim()}`);
  return stdout;
}

/** Whether git ends with 0; any other code than 0 and 1 is an error. */
export function gitAnswers(cwd: string, ...args: readonly string[]): boolean {
  const { status, stderr } = spawnSync("git", args, { cwd, encoding: "utf8" });
  if (status !== 0 && status !== 1) throw new Error(`git ${args.join(" ")} ended with ${status}:\n${stderr.trim()}`);
  return status === 0;
}
