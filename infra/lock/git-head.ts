import { execFileSync } from "node:child_process";

/** A file as the last commit has it; nothing where it has none, or where this is no git checkout. */
export function committedText(root: string, path: string): string | undefined {
  try {
    return execFileSync("git", ["-C", root, "show", `HEAD:./${path}`], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 64 * 1024 * 1024 });
  } catch {
    return undefined;
  }
}
