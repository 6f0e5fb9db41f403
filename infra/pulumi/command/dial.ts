/** Connections over SSH that are tried again, through a jump host where there is one. */
import { setTimeout as sleep } from "node:timers/promises";
import ssh2, { type Client } from "ssh2";
import { FaultError } from "../../faults.ts";
import { dial, type DialOptions, forwarded } from "../../ssh/client.ts";
import { isKeyLine } from "../../ssh/host-key.ts";
import type { SshHop } from "../../ssh/target.ts";
import type { ConnectionInputs, HopInputs } from "./connection.ts";
import type { Work } from "./resource.ts";

/** Milliseconds between two tries: the first pause, how it grows, and the longest. */
const [PAUSE, GROWTH, LONGEST_PAUSE] = [100, 1.5, 5000];

export interface Dialled {
  readonly client: Client;
  /** Ends it, and the connection to the jump host. */
  readonly end: () => void;
}

export async function dialled({ proxy, ...inputs }: ConnectionInputs, work: Work): Promise<Dialled> {
  const target = hopOf("connection", inputs);
  if (proxy === undefined) {
    const client = await retried("Dial", inputs, work, () => dial(target, limits(inputs)));
    return { client, end: () => client.end() };
  }
  const jump = hopOf("connection.proxy", proxy);
  const first = await named(retried("Dial proxy", proxy, work, () => dial(jump, limits(proxy))));
  try {
    const through = async () => dial(target, { ...limits(inputs), socket: await inTime(inputs, forwarded(first, target)) });
    const client = await named(retried("Dial from proxy", inputs, work, through));
    return { client, end: () => [client, first].forEach((each) => each.end()) };
  } catch (error) {
    first.end();
    throw error;
  }
}

/** What the official plugin puts before an error of a way with a jump host. */
function named<T>(way: Promise<T>): Promise<T> {
  return way.catch((error: Error) => Promise.reject(new Error(`proxy: ${error.message}`)));
}

/** Throws where a key can never do: trying again does not help then. */
function hopOf(where: string, { host, port = 22, user = "root", hostKey, privateKey, agentSocketPath }: HopInputs): SshHop {
  const line = hostKey.split(" ").slice(0, 2).join(" ");
  if (!isKeyLine(line)) throw new Error(`${where}.hostKey: failed to parse host key: expected TYPE BASE64, found ${JSON.stringify(hostKey)}`);
  const parsed = privateKey === undefined ? undefined : ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw new Error(`${where}.privateKey: ${parsed.message}`);
  return { host, port, user, hostKey: line, privateKey, agent: agentSocketPath };
}

function limits({ perDialTimeout = 15 }: HopInputs): DialOptions & { readonly timeout: number } {
  return { timeout: perDialTimeout * 1000 };
}

/** The jump host may try for longer. */
async function inTime<T>(inputs: HopInputs, way: Promise<T>): Promise<T> {
  const { timeout } = limits(inputs);
  if (timeout === 0) return way;
  const over = new AbortController();
  const late = sleep(timeout, undefined, { signal: over.signal }).then(() => {
    throw new Error(`the jump host did not reach ${inputs.host} within ${timeout / 1000} s`);
  });
  return Promise.race([way, late]).finally(() => over.abort());
}

/** Tries until it is there, or as often as the limit says after the first time. Another host key, and a refused login, stay what they are. */
async function retried<T>(what: string, { dialErrorLimit = 10 }: HopInputs, { log, signal }: Work, way: () => Promise<T>): Promise<T> {
  for (let failed = 0, pause = PAUSE; ; failed++, pause = Math.min(pause * GROWTH, LONGEST_PAUSE)) {
    signal.throwIfAborted();
    try {
      return await way();
    } catch (error) {
      if (error instanceof FaultError) throw error;
      if (dialErrorLimit >= 0 && failed >= dialErrorLimit) throw new Error(`after ${failed} failed attempts: ${(error as Error).message}`);
    }
    await log.line(`${what} ${failed + 1}/${dialErrorLimit < 0 ? "inf" : dialErrorLimit} failed: retrying`);
    await sleep(pause, undefined, { signal });
  }
}
