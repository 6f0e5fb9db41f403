/** Runs a script of infra/hosts, on this machine or on a stack's build host. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { z } from "zod";
import { parseAnswer } from "../answers.ts";
import { canonicalJson, type Json } from "../canonical-json.ts";
import { FaultError } from "../faults.ts";
import { protocol } from "../request.ts";
import { connect, type Connection, unanswered } from "../ssh/client.ts";
import { addressOf, type SshTarget } from "../ssh/target.ts";

/** A script said what is wrong, in the form of a fault. */
export class ScriptFailed extends Error {}

/** Where scripts run. `here`: the project's folder on this machine. `folder`: the stack's on the host, with what the last `up` put there. */
export type Place = { readonly here: string } | { readonly there: SshTarget; readonly folder: string };

export interface ScriptRun {
  /** Path in infra/hosts/, without `.sh`. */
  readonly script: string;
  /** Its request, but for the protocol. */
  readonly request: { readonly [key: string]: Json };
  /** Gets its messages, a line each, as they come. */
  readonly tell: (line: string) => void;
}

/** Runs it to its end. Throws ScriptFailed with its fault, a FaultError where the host cannot be reached. */
export async function runScript<T>(answer: z.ZodType<T>, place: Place, { script, request, tell }: ScriptRun): Promise<T> {
  const messages = new Messages(tell);
  const input = canonicalJson({ protocol, ...request });
  const { code, stdout } = "here" in place ? await runHere(join(place.here, `infra/hosts/${script}.sh`), input, messages) : await runThere(place, script, input, messages);
  if (code !== 0) throw new ScriptFailed(messages.fault() || `${script} ended with ${code ?? "a signal"}`);
  return parseAnswer(answer, stdout);
}

/** Runs a text in the shell of a machine's root, whose login it is or who becomes root by sudo without a password. As runScript. */
export async function runAsRoot<T>(answer: z.ZodType<T>, target: SshTarget, { text, tell }: { readonly text: string; readonly tell: (line: string) => void }): Promise<T> {
  const messages = new Messages(tell);
  const { code, stdout } = await onHost(target, (connection) => connection.run(target.user === "root" ? "exec bash -s" : "exec sudo -n bash -s", { input: text, said: (said) => messages.add(said) }));
  if (code !== 0) throw new ScriptFailed(messages.fault() || `a script on ${addressOf(target)} ended with ${code ?? "a signal"}`);
  return parseAnswer(answer, stdout);
}

type Ended = { readonly code: number | undefined; readonly stdout: string };

async function runHere(file: string, input: string, messages: Messages): Promise<Ended> {
  const child = spawn("bash", [file], { stdio: ["pipe", "pipe", "pipe"] });
  child.stderr.setEncoding("utf8").on("data", (said: string) => messages.add(said));
  // A script that ends without reading is no trouble of ours.
  child.stdin.on("error", () => undefined).end(input);
  const [stdout, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
  return { code: (code as number | null) ?? undefined, stdout };
}

async function runThere({ there, folder }: Extract<Place, { there: SshTarget }>, script: string, input: string, messages: Messages): Promise<Ended> {
  const file = `${folder}/infra/hosts/${script}.sh`;
  const lost = `[ -e ${file} ] || exit 66; exec bash ${file}`;
  const ended = await onHost(there, (connection) => connection.run(lost, { input, said: (said) => messages.add(said) }));
  if (ended.code === 66) throw new FaultError([{ code: "HOST_SOURCES_MISSING", where: addressOf(there), problem: "the host lacks a script of this program", found: `no ${file}`, expected: "what the last `pulumi up` put there" }]);
  return ended;
}

async function onHost<R>(target: SshTarget, use: (connection: Connection) => Promise<R>): Promise<R> {
  const connection = await connect(target).catch((error: Error) => Promise.reject(unanswered(target, error)));
  try {
    return await use(connection);
  } finally {
    connection.end();
  }
}

/** Tells whole lines; the fault at the end is kept, to be thrown. */
class Messages {
  readonly #tell: (line: string) => void;
  #rest = "";
  #fault: string[] = [];

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  add(said: string): void {
    const lines = (this.#rest + said).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (this.#fault.length > 0 || line.startsWith("error[")) this.#fault.push(line);
      else this.#tell(line);
    }
  }

  fault(): string {
    return [...this.#fault, this.#rest].join("\n").trim();
  }
}
