/** command:remote:Command: a line for the login shell of another machine. */
import { once } from "node:events";
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
    const channel = await new Promise<ClientChannel>((resolve, reject) => {
      client.once("close", () => reject(new Error(LOST)));
      client.exec(line, { env: previous }, (error, opened) => (error ? reject(error) : resolve(opened)));
    });
    return await ended(channel, stdin, output, work);
  } finally {
    end();
  }
}

/** The words of the official plugin: those who wait for a host look for them. */
const LOST = "wait: remote command exited without exit status or exit signal";

async function ended(channel: ClientChannel, stdin: string, output: Line<unknown>["output"], { limit }: Work): Promise<string | undefined> {
  let how: string | undefined = LOST;
  channel.on("exit", (code: number | null, signal?: string) => {
    how = code === 0 ? undefined : code === null ? `Process exited from signal ${signal?.replace(/^SIG/, "")}` : `Process exited with status ${code}`;
  });
  const stop = () => {
    how = "the time of its customTimeouts is over";
    channel.signal("KILL");
    channel.close();
  };
  limit?.addEventListener("abort", stop);
  const closed = once(channel, "close");
  channel.end(stdin);
  // What was cut off ends a stream too early; what it said until then is told with the error.
  const streams = [output.read("stdout", channel), output.read("stderr", channel.stderr)].map((each) => each.catch(() => undefined));
  await Promise.all([closed, ...streams]);
  limit?.removeEventListener("abort", stop);
  return how;
}
