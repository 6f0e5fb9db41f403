/** command:remote:Command: a line for the login shell of another machine. */
import { once } from "node:events";
import { constants } from "node:os";
import type { ClientChannel } from "ssh2";
import { commandInputs, commandResource, type Line } from "./command.ts";
import { connection, filledConnection } from "./connection.ts";
import { type Inputs, object, required } from "./inputs.ts";
import type { Work } from "./resource.ts";

const inputs = { ...commandInputs, connection: required(connection) };

export const remoteCommand = commandResource(object(inputs), filledConnection, run);

async function run({ line, inputs: { connection: to, stdin = "" }, previous, output }: Line<Inputs<typeof inputs>>, work: Work): Promise<string | undefined> {
  // Loaded when it is needed: most runs dial no host.
  const { dialled } = await import("./dial.ts");
  const { client, end } = await dialled(to, work);
  try {
    return await new Promise<string | undefined>((resolve, reject) => {
      client.once("close", () => reject(new Error(LOST)));
      // A short command may be over before anything else runs here.
      client.exec(line, { env: previous }, (error, channel) => (error ? reject(error) : resolve(ended(channel, stdin, output, work))));
    });
  } finally {
    end();
  }
}

/** The words of the official plugin: those who wait for a host look for them. */
const LOST = "wait: remote command exited without exit status or exit signal";

async function ended(channel: ClientChannel, stdin: string, output: Line<unknown>["output"], { limit }: Work): Promise<string | undefined> {
  let how: string | undefined = LOST;
  channel.on("exit", (code: number | null, signal?: string) => {
    how = code === 0 ? undefined : code === null ? signalled(signal ?? "") : `Process exited with status ${code}`;
  });
  const closed = once(channel, "close");
  channel.end(stdin);
  // What was cut off ends a stream too early; what it said until then is told with the error.
  const streams = [output.read("stdout", channel), output.read("stderr", channel.stderr)].map((each) => each.catch(() => undefined));
  const whole = Promise.all([closed, ...streams]).then(() => how);
  if (limit === undefined) return whole;
  // The host may not listen to the signal; the connection's end is no end of the command then.
  const over = once(limit, "abort").then(() => {
    channel.signal("KILL");
    return "the time of its customTimeouts is over";
  });
  return Promise.race([whole, over]);
}

/** As Go's SSH writes it. */
function signalled(name: string): string {
  const short = name.replace(/^SIG/, "");
  return `Process exited with status ${128 + (constants.signals[`SIG${short}` as NodeJS.Signals] ?? 0)} from signal ${short}`;
}
