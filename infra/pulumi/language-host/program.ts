/** A Pulumi program as a process: the SDK's own runner, started with what the engine asks for. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { ProgramInfo, RunRequest } from "@pulumi/pulumi/proto/language_pb.js";
import { FaultError } from "../../faults.ts";
import { type RuntimeOptions, runtimeOptions } from "./runtime-options.ts";

/** How a run ended: well, with an error to show, or with one that the program has shown itself (`bail`). */
export interface Outcome {
  readonly error?: string;
  readonly bail?: boolean;
}

/** The runner's exit code for "the person has been told". */
const TOLD = 32;

/** Milliseconds that a program has to end in order. */
const GRACE = 5_000;

/** Runs the program to its end; `stop` interrupts it. The program writes where this process does, which is what the engine reads. */
export async function runProgram(request: RunRequest, engine: string, stop: AbortSignal): Promise<Outcome> {
  if (request.getAttachDebugger()) throw noDebugger();
  const info = programInfo(request);
  const options = runtimeOptions(info.getOptions()?.toJavaScript() ?? {});
  const runner = findRunner(info.getProgramDirectory());
  if (runner === undefined) return { error: "It looks like the Pulumi SDK has not been installed. Have you run npm ci, or this project's set-up?" };
  const args = [...options.nodeArguments, runner, ...runnerArguments(request, engine)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, ...runnerEnvironment(request, options) } });
  const interrupt = () => {
    child.kill("SIGINT");
    setTimeout(() => child.kill("SIGKILL"), GRACE).unref();
  };
  if (stop.aborted) interrupt();
  stop.addEventListener("abort", interrupt, { once: true });
  const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
  return outcome(code, signal);
}

/** What is to be run; the engine names it in every call. */
export function programInfo(request: { getInfo(): ProgramInfo | undefined }): ProgramInfo {
  const info = request.getInfo();
  if (info === undefined) throw new Error("the engine did not say which program is meant: it is older than 3.100, or wrong");
  return info;
}

function noDebugger(): FaultError {
  const problem = "this project's language host starts no program under a debugger";
  const fix = "leave the option out, or set nodeargs: --inspect-brk in Pulumi.yaml's runtime.options";
  return new FaultError([{ code: "PLUGIN_LIMIT", where: "pulumi --attach-debugger", problem, fix }]);
}

/** From the program's folder, as the program itself would find it. */
function findRunner(folder: string): string | undefined {
  try {
    return createRequire(join(folder, "program")).resolve("@pulumi/pulumi/cmd/run");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

/** The runner's options for the program, its entry point, and the program's own arguments. An empty option is left out. */
export function runnerArguments(request: RunRequest, engine: string): string[] {
  const info = programInfo(request);
  const named = {
    monitor: request.getMonitorAddress(),
    engine,
    organization: request.getOrganization(),
    project: request.getProject(),
    "root-directory": info.getRootDirectory(),
    stack: request.getStack(),
    pwd: info.getProgramDirectory(),
    parallel: `${request.getParallel()}`,
  };
  const options = Object.entries(named).flatMap(([name, value]) => (value === "" ? [] : [`--${name}`, value]));
  return [...options, ...(request.getDryrun() ? ["--dry-run"] : []), info.getEntryPoint(), ...request.getArgsList()];
}

/** Added to this process's own; by way of it no secret is in an argument. */
export function runnerEnvironment(request: RunRequest, options: RuntimeOptions): Record<string, string> {
  return {
    PULUMI_CONFIG: JSON.stringify(Object.fromEntries(request.getConfigMap().toArray())),
    PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    ...(options.typescript && { PULUMI_NODEJS_TYPESCRIPT: "true" }),
  };
}

export function outcome(code: number | null, signal: NodeJS.Signals | null): Outcome {
  if (code === 0) return {};
  if (code === TOLD) return { bail: true };
  return { error: `Program exited with non-zero exit code: ${signal === null ? code : `-1 (${signal})`}` };
}
