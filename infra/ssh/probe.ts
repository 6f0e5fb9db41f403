/** Whether a host is there, is the one meant, lets us in, and has the right time; before any command is sent to it. */
import { setTimeout as sleep } from "node:timers/promises";
import { FaultError } from "../faults.ts";
import { connect } from "./client.ts";
import { addressOf, type SshTarget } from "./target.ts";

export interface ProbeOptions {
  /** Seconds to wait for a host that does not answer. */
  readonly patience: number;
  /** Tells a person what is waited for. */
  readonly say: (line: string) => void;
}

/** Seconds that a probe waits for a host: one that was just started needs minutes. COMFYUI_HOST_PATIENCE is another number. */
export function patienceOf(env: NodeJS.ProcessEnv): number {
  const given = Number(env["COMFYUI_HOST_PATIENCE"]);
  return env["COMFYUI_HOST_PATIENCE"] !== undefined && given >= 0 ? given : 600;
}

/** Seconds between the lines that say what is waited for. */
const SAY_EVERY = 15;
/** Seconds that a host's clock may be off: signatures and certificates are checked against it. */
const CLOCK_TOLERANCE = 60;

/** Throws a FaultError that says what is wrong: at once where waiting does not help, else when the patience is over. */
export async function probe(target: SshTarget, options: ProbeOptions): Promise<void> {
  const connection = await patiently(target, options);
  try {
    const host = Number(await connection.exec("date +%s"));
    const off = Math.round(host - Date.now() / 1000);
    if (Math.abs(off) <= CLOCK_TOLERANCE) return;
    const [found, expected] = [`${Math.abs(off)} s ${off > 0 ? "ahead" : "behind"}`, `at most ${CLOCK_TOLERANCE} s`];
    throw new FaultError([{ code: "HOST_CLOCK_SKEW", where: addressOf(target), problem: "the host's clock differs from this machine's", found, expected }]);
  } finally {
    connection.end();
  }
}

/** Whether the host has what the stack put there (`path`): one that was replaced under the same key has lost it, and nothing tells. */
export async function lookFor(path: string, target: SshTarget): Promise<void> {
  const connection = await connect(target);
  try {
    if ((await connection.exec(`[ ! -e ${path} ] || echo there`)) !== "") return;
  } finally {
    connection.end();
  }
  throw new FaultError([{ code: "HOST_SOURCES_MISSING", where: addressOf(target), problem: "the host has lost what the stack put there", found: `no ${path}`, expected: "what comfyui-build-host-sources put there" }]);
}

async function patiently(target: SshTarget, { patience, say }: ProbeOptions) {
  const started = Date.now();
  const waited = () => Math.round((Date.now() - started) / 1000);
  for (let pause = 0.5, said = 0; ; pause = Math.min(pause * 1.5, 5)) {
    try {
      return await connect(target);
    } catch (error) {
      if (error instanceof FaultError) throw error;
      const { message } = error as Error;
      if (waited() + pause > patience) {
        throw new FaultError([{ code: "HOST_UNREACHABLE", where: addressOf(target), problem: `the host did not answer within ${patience} s`, found: message, expected: "an SSH server" }]);
      }
      if (waited() >= said) {
        say(`waiting for ${addressOf(target)}: ${message} (${waited()} of ${patience} s)`);
        said = waited() + SAY_EVERY;
      }
    }
    await sleep(pause * 1000);
  }
}
