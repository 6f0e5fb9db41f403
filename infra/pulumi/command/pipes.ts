/**
 * Pipes to a child process. Node's own are sockets, which is another thing for a child: /dev/stdin and /dev/stderr cannot be
 * opened then, and bash takes itself for a remote shell and reads ~/.bashrc. These are named pipes without a name.
 */
import { execFile } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const { O_RDONLY, O_RDWR, O_WRONLY, O_NONBLOCK } = constants;

export interface Pipe {
  /** This process's end. */
  readonly ours: Socket;
  /** The child's end, a file descriptor: to be closed here once the child has it. */
  readonly theirs: number;
}

/** Two to read from, and one to write to where it is wanted. */
export async function pipes(input: boolean): Promise<{ readonly stdout: Pipe; readonly stderr: Pipe; readonly stdin: Pipe | undefined }> {
  const folder = mkdtempSync(join(tmpdir(), "pulumi-command-"));
  const [stdout, stderr, stdin] = ["stdout", "stderr", "stdin"].map((name) => join(folder, name)) as [string, string, string];
  try {
    await promisify(execFile)("mkfifo", ["-m", "600", stdout, stderr, ...(input ? [stdin] : [])]);
    return { stdout: toRead(stdout), stderr: toRead(stderr), stdin: input ? toWrite(stdin) : undefined };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// An end is opened without waiting for the other one, and the child's end without the flag that says so.

function toRead(path: string): Pipe {
  const ours = openSync(path, O_RDONLY | O_NONBLOCK);
  return { ours: new Socket({ fd: ours, readable: true, writable: false }), theirs: openSync(path, O_WRONLY) };
}

function toWrite(path: string): Pipe {
  const both = openSync(path, O_RDWR);
  const [theirs, ours] = [openSync(path, O_RDONLY), openSync(path, O_WRONLY | O_NONBLOCK)];
  closeSync(both);
  return { ours: new Socket({ fd: ours, readable: false, writable: true }), theirs };
}
