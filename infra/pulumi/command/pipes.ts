/**
 * Pipes to a child process. Node's own are sockets, which is another thing for a child: /dev/stdin and /dev/stderr cannot be
 * opened then, and bash takes itself for a remote shell and reads ~/.bashrc. Node cannot make pipes; a shell makes them, for
 * here-documents, and Linux lets one process open those of another.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { Socket } from "node:net";

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

export interface Pipe {
  /** This process's end. */
  readonly ours: Socket;
  /** The child's end, a file descriptor: to be closed here once the child has it. */
  readonly theirs: number;
}

/** Holds three pipes, says so, and ends with its input. */
const HOLDER = "exec 3<<END 4<<END 5<<END\nEND\nEND\nEND\necho\nread -r _";

/** One to write to, two to read from. */
export async function pipes(): Promise<{ readonly stdin: Pipe; readonly stdout: Pipe; readonly stderr: Pipe }> {
  const holder = spawn("/bin/sh", ["-c", HOLDER], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    await Promise.race([once(holder.stdout, "data"), once(holder, "exit").then(() => Promise.reject(new Error("/bin/sh could not make pipes")))]);
    const open = (descriptor: number, flags: number) => openPipe(`/proc/${holder.pid}/fd/${descriptor}`, flags);
    return {
      stdin: { ours: new Socket({ fd: open(3, O_WRONLY | O_NONBLOCK), readable: false, writable: true }), theirs: open(3, O_RDONLY) },
      stdout: { ours: new Socket({ fd: open(4, O_RDONLY | O_NONBLOCK), readable: true, writable: false }), theirs: open(4, O_WRONLY) },
      stderr: { ours: new Socket({ fd: open(5, O_RDONLY | O_NONBLOCK), readable: true, writable: false }), theirs: open(5, O_WRONLY) },
    };
  } finally {
    holder.stdin.end();
  }
}

function openPipe(path: string, flags: number): number {
  const descriptor = openSync(path, flags);
  if (fstatSync(descriptor).isFIFO()) return descriptor;
  closeSync(descriptor);
  throw new Error(`${path} is no pipe: /bin/sh writes here-documents to files`);
}
