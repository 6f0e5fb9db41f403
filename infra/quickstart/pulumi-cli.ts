/** The Pulumi CLI as a child process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

/** Runs `pulumi` with `input` (default: none), answers its standard output; messages go to the terminal only where it fails. */
export async function pulumi(args: readonly string[], cwd: string, input = ""): Promise<string> {
  const child = spawn("pulumi", [...args, "--non-interactive", "--color", "never"], { cwd, stdio: "pipe" });
  // Whether it reads to the end shows in its exit code.
  child.stdin.on("error", () => undefined).end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code}:\n${stderr.trim() || stdout.trim()}`);
  return stdout;
}

/** Runs `pulumi` on this process's own terminal and answers its exit code. */
export async function pulumiShown(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<number> {
  // Ctrl-C reaches both processes: pulumi ends in its own orderly way, this one waits for that.
  const ignore = () => {};
  process.on("SIGINT", ignore);
  try {
    const child = spawn("pulumi", args, { cwd, env, stdio: "inherit" });
    const [code] = (await once(child, "close")) as [number | null];
    return code ?? 1;
  } finally {
    process.off("SIGINT", ignore);
  }
}
