/** One SSH connection from this machine: for the probe of hosts, the operators' commands, and the stand-in for Pulumi's command plugin. */
import type { Duplex } from "node:stream";
import ssh2, { type Client, type ConnectConfig } from "ssh2";
import { FaultError } from "../faults.ts";
import { fingerprintOf, keyLine, preferredAlgorithms } from "./host-key.ts";
import { addressOf, type SshHop, type SshTarget } from "./target.ts";

/** An open connection; `end` closes it, and the one to the jump host. */
export interface Connection {
  /** Runs a command, answers its standard output; throws where it ends with another code than 0. */
  exec(command: string): Promise<string>;
  /** Runs a command to its end, whatever its code. A `code` of undefined: a signal ended it. */
  run(command: string, io: CommandIo): Promise<{ readonly code: number | undefined; readonly stdout: string }>;
  end(): void;
}

export interface CommandIo {
  /** For its standard input. Default: it is empty. */
  readonly input?: string;
  /** Gets what it writes to standard error, as it comes. */
  readonly said: (text: string) => void;
}

/** Longest time for one try, in milliseconds. */
const DIAL_TIMEOUT = 15_000;
/** A host that went away without a word is noticed after this many unanswered messages, this many milliseconds apart. */
const KEEPALIVE = { keepaliveInterval: 15_000, keepaliveCountMax: 8 };

export interface DialOptions {
  /** A way to the host that is open already. Default: a new connection. */
  readonly socket?: Duplex | undefined;
  /** Longest time for it, in milliseconds; 0: no limit. Default: 15 s. */
  readonly timeout?: number;
}

/**
 * Connects, through the jump host where there is one. Throws a FaultError for what does not mend itself (another host key, a
 * refused login), and any other error for what may: no answer, a refused or cut connection, a name that is not known.
 */
export async function connect({ jump, ...target }: SshTarget): Promise<Connection> {
  if (jump === undefined) return connectionOf(await dial(target), []);
  const first = await dial(jump);
  try {
    return connectionOf(await dial(target, { socket: await forwarded(first, target) }), [first]);
  } catch (error) {
    first.end();
    throw error;
  }
}

/**
 * The key that a host shows, the best of those that can be pinned: read, not trusted. `jump`: whose own key is known. Throws a
 * FaultError where the host does not answer.
 */
export async function readHostKey(host: { readonly host: string; readonly port: number }, jump?: SshHop): Promise<string> {
  const first = jump && (await dial(jump).catch((error: Error) => Promise.reject(unanswered(jump, error))));
  try {
    return await shownKey({ ...host, ...(first && { sock: (await forwarded(first, host)) as NonNullable<ConnectConfig["sock"]> }) });
  } catch (error) {
    throw unanswered(host, error as Error);
  } finally {
    first?.end();
  }
}

function shownKey(config: ConnectConfig): Promise<string> {
  const client = new ssh2.Client();
  return new Promise((resolve, reject) => {
    client.on("error", reject).on("close", () => reject(new Error("the connection was closed")));
    client.connect({
      ...config,
      username: "none",
      readyTimeout: DIAL_TIMEOUT,
      algorithms: { serverHostKey: preferredAlgorithms("") },
      hostVerifier: (key: Buffer) => {
        resolve(keyLine(key));
        return false;
      },
    });
  });
}

/** The fault of a host that cannot be connected to now; one that is a fault already stays what it is. */
export function unanswered(hop: Parameters<typeof addressOf>[0], error: Error): Error {
  if (error instanceof FaultError) return error;
  return new FaultError([{ code: "HOST_UNREACHABLE", where: addressOf(hop), problem: "the host does not answer", found: error.message, expected: "an SSH server" }]);
}

function connectionOf(client: Client, others: readonly Client[]): Connection {
  return {
    exec: (command) => exec(client, command),
    run: (command, io) => run(client, command, io),
    end: () => [client, ...others].forEach((each) => each.end()),
  };
}

/** One try of one hop. Throws as `connect` does. */
export async function dial(hop: SshHop, { socket, timeout = DIAL_TIMEOUT }: DialOptions = {}): Promise<Client> {
  let foundKey: string | undefined;
  const client = new ssh2.Client();
  const connected = new Promise<void>((resolve, reject) => {
    client.once("ready", resolve).once("error", reject).once("close", () => reject(new Error("the connection was closed")));
  });
  // Once it is open, an error also ends what waits for an answer; without a listener it would end this process.
  client.on("error", () => undefined);
  client.connect({
    ...login(hop),
    ...(socket && { sock: socket as NonNullable<ConnectConfig["sock"]> }),
    algorithms: { serverHostKey: preferredAlgorithms(hop.hostKey) },
    hostVerifier: (key: Buffer) => (foundKey = keyLine(key)) === hop.hostKey,
    readyTimeout: timeout,
    ...KEEPALIVE,
  });
  try {
    await connected;
    return client;
  } catch (error) {
    client.destroy();
    if (foundKey !== undefined && foundKey !== hop.hostKey) throw keyFault(hop, foundKey);
    const { level, message } = error as Error & { level?: string };
    if (level === "client-authentication" || level === "agent") throw loginFault(hop, message);
    throw error;
  }
}

function login(hop: SshHop): ConnectConfig {
  const { host, port, user: username, privateKey } = hop;
  const agent = hop.agent ?? process.env["SSH_AUTH_SOCK"];
  if (privateKey !== undefined) return { host, port, username, privateKey };
  if (agent) return { host, port, username, agent };
  throw loginFault(hop, "no privateKey in the configuration, and no SSH agent (SSH_AUTH_SOCK)");
}

function keyFault(hop: SshHop, found: string): FaultError {
  const [where, expected] = [addressOf(hop), fingerprintOf(hop.hostKey)];
  return new FaultError([{ code: "HOST_KEY_MISMATCH", where, problem: "the host shows another key than the configured one", found: fingerprintOf(found), expected }]);
}

function loginFault(hop: SshHop, found: string): FaultError {
  const expected = hop.privateKey === undefined ? "a key of the SSH agent that the user accepts" : "the configured private key to be one that the user accepts";
  return new FaultError([{ code: "HOST_LOGIN_REFUSED", where: addressOf(hop), problem: `the host does not let the user ${hop.user} in`, found, expected }]);
}

/** A way through a host to another one. */
export function forwarded(client: Client, { host, port }: Pick<SshHop, "host" | "port">): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    client.forwardOut("127.0.0.1", 0, host, port, (error, channel) => (error ? reject(new Error(`the jump host cannot reach ${host}:${port}: ${error.message}`)) : resolve(channel)));
  });
}

async function exec(client: Client, command: string): Promise<string> {
  let stderr = "";
  const { code, stdout } = await run(client, command, { said: (text) => (stderr += text) });
  if (code !== 0) throw new Error(`${command} ended with ${code ?? "a signal"}: ${stderr.trim()}`);
  return stdout;
}

function run(client: Client, command: string, { input = "", said }: CommandIo): ReturnType<Connection["run"]> {
  return new Promise((resolve, reject) => {
    const lost = () => reject(new Error("the connection was closed"));
    client.once("close", lost);
    client.exec(command, (error, channel) => {
      if (error) return reject(error);
      let stdout = "";
      channel.setEncoding("utf8").on("data", (data: string) => (stdout += data));
      channel.stderr.setEncoding("utf8").on("data", said);
      channel.on("close", (code: number | null) => {
        client.off("close", lost);
        resolve({ code: code ?? undefined, stdout });
      });
      channel.end(input);
    });
  });
}
