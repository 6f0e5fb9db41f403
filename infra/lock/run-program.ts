import { spawn } from "node:child_process";

export interface Ran {
  /** 127 where there is no such program, as in a shell. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export function runProgram(program: string, args: readonly string[], { input = "", env = {} }: { readonly input?: string; readonly env?: Readonly<Record<string, string>> } = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => (stdout += String(chunk)));
    child.stderr.on("data", (chunk) => (stderr += String(chunk)));
    child.once("error", (error) => resolve({ code: 127, stdout, stderr: error.message }));
    child.once("close", (code) => resolve({ code: code ?? 128, stdout, stderr }));
    // A program that ends without reading is no trouble of ours.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}
