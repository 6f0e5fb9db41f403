/** command:local:Command: a line for the shell of the machine that the engine runs on. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import type { Socket } from "node:net";
import { commandInputs, commandResource, type Line } from "./command.ts";
import { type Inputs, object } from "./inputs.ts";
import { pipes } from "./pipes.ts";
import type { Work } from "./resource.ts";

/** Bytes that Linux takes for one environment variable, its name and its end included. */
const LONGEST_VARIABLE = 128 * 1024;

/** As Go's programs call them: what is there to be read of old logs, and what scripts look for. */
const SIGNALS: Readonly<Partial<Record<NodeJS.Signals, string>>> = {
  SIGHUP: "hangup",
  SIGINT: "interrupt",
  SIGQUIT: "quit",
  SIGABRT: "aborted",
  SIGKILL: "killed",
  SIGSEGV: "segmentation fault",
  SIGPIPE: "broken pipe",
  SIGTERM: "terminated",
};

export const localCommand = commandResource(object(commandInputs), (inputs) => inputs, run);

async function run({ line, inputs: { stdin = "" }, previous, output }: Line<Inputs<typeof commandInputs>>, work: Work): Promise<string | undefined> {
  const { child, stdin: input, stdout, stderr } = await started(line, { ...process.env, ...(await fitting(previous, work)) });
  const ended = new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(code === 0 ? undefined : signal === null ? `exit status ${code}` : `signal: ${SIGNALS[signal] ?? signal}`));
  });
  const kill = () => child.kill("SIGKILL");
  work.signal.addEventListener("abort", kill);
  if (work.signal.aborted) kill();
  // A command that does not read its input is no error.
  input.on("error", () => undefined).end(stdin);
  // Its children may hold the streams for longer: they belong to the command.
  await Promise.all([output.read("stdout", stdout), output.read("stderr", stderr)]);
  const problem = await ended;
  input.destroy();
  work.signal.removeEventListener("abort", kill);
  return problem;
}

interface Started {
  readonly child: ChildProcess;
  /** This process's ends of its pipes. */
  readonly stdin: Socket;
  readonly stdout: Socket;
  readonly stderr: Socket;
}

async function started(line: string, env: NodeJS.ProcessEnv): Promise<Started> {
  const { stdin, stdout, stderr } = await pipes();
  try {
    const child = spawn("/bin/sh", ["-c", line], { stdio: [stdin.theirs, stdout.theirs, stderr.theirs], env });
    return { child, stdin: stdin.ours, stdout: stdout.ours, stderr: stderr.ours };
  } catch (error) {
    // A line that is longer than an argument can be.
    for (const { ours } of [stdin, stdout, stderr]) ours.destroy();
    throw error;
  } finally {
    for (const { theirs } of [stdin, stdout, stderr]) closeSync(theirs);
  }
}

/** Without what is too long: the command would not start with it, and a stack whose commands do not start cannot be destroyed. */
async function fitting(previous: Readonly<Record<string, string>>, { log }: Work): Promise<Readonly<Record<string, string>>> {
  const fits = ([name, value]: readonly [string, string]) => name.length + Buffer.byteLength(value) + 2 <= LONGEST_VARIABLE;
  const all = Object.entries(previous);
  for (const [name] of all.filter((each) => !fits(each))) {
    await log.warning(`${name} is left out: it is longer than an environment variable can be; addPreviousOutputInEnv: false says that it is not wanted`);
  }
  return Object.fromEntries(all.filter(fits));
}
