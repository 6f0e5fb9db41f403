/** command:remote:CopyToRemote: a file that is put on another machine. */
import { basename, posix } from "node:path";
import { promisify } from "node:util";
import type { SFTPWrapper, Stats } from "ssh2";
import { connection, filledConnection } from "./connection.ts";
import { anything, file, inputsOf, object, problemsOf, required, text } from "./inputs.ts";
import { bare, isAsset, type Properties } from "./properties.ts";
import type { Resource, Work } from "./resource.ts";

const inputs = object({ connection: required(connection), triggers: anything, source: required(file), remotePath: required(text) });

export const copyToRemote: Resource = {
  problems: (properties) => problemsOf(inputs, properties),
  filled: filledConnection,
  outputs: [],
  named: false,
  create: copy,
  async update(properties, { source, remotePath }, work) {
    const now = inputsOf(inputs, properties);
    // Of the old source the engine sends the hash alone.
    const copied = bare(source ?? null);
    return isAsset(copied) && copied.hash === now.source.hash && remotePath === now.remotePath ? {} : copy(properties, work);
  },
  // What was copied stays: nobody knows what it has become.
  delete: async () => undefined,
};

async function copy(properties: Properties, work: Work): Promise<Properties> {
  const { connection: to, source, remotePath } = inputsOf(inputs, properties);
  const { dialled } = await import("./dial.ts");
  const { client, end } = await dialled(to, work);
  try {
    await new Promise<void>((resolve, reject) => {
      client.once("close", () => reject(new Error("the connection was lost while a file was copied")));
      work.limit?.addEventListener("abort", () => reject(new Error("the time of its customTimeouts is over")));
      promisify(client.sftp.bind(client))()
        .then((sftp) => put(sftp, source.path, remotePath))
        .then(resolve, reject);
    });
    return {};
  } finally {
    end();
  }
}

/** Into the folder, where there is one of this name; else as the file, and the folders above it are made. */
async function put(sftp: SFTPWrapper, from: string, to: string): Promise<void> {
  const there = await statOf(sftp, to);
  const path = there?.isDirectory() ? posix.join(to, basename(from)) : to;
  if (there === undefined) await makeFolder(sftp, posix.dirname(path));
  await done(`${from} could not be copied to ${path}`, (ended) => sftp.fastPut(from, path, ended));
}

async function makeFolder(sftp: SFTPWrapper, folder: string): Promise<void> {
  if ((await statOf(sftp, folder)) !== undefined) return;
  await makeFolder(sftp, posix.dirname(folder));
  await done(`the folder ${folder} could not be made`, (ended) => sftp.mkdir(folder, ended));
}

function done(problem: string, step: (ended: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => step((error) => (error ? reject(new Error(`${problem}: ${error.message}`)) : resolve())));
}

function statOf(sftp: SFTPWrapper, path: string): Promise<Stats | undefined> {
  return new Promise((resolve) => sftp.stat(path, (error, stats) => resolve(error ? undefined : stats)));
}
