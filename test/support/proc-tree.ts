/** Processes as /proc shows them: who descends from whom, and who lives in which process namespace. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Process {
  readonly pid: number;
  readonly parent: number;
  /** The program's name, as the kernel cuts it (15 characters). */
  readonly name: string;
  /** The whole command line, arguments joined by spaces. */
  readonly command: string;
  readonly zombie: boolean;
}

/** A process may end between the listing and the reading, or be none of ours (EACCES): there is nothing to say about it. */
function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES") return undefined;
    throw error;
  }
}

function readProcess(pid: number): Process | undefined {
  return unlessGone(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name stands in parentheses and may hold spaces and parentheses itself.
    const [state = "", parent = "0"] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      pid,
      parent: Number(parent),
      name: stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")),
      command: readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim(),
      zombie: state === "Z",
    };
  });
}

function pids(): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
}

function readProcesses(which: readonly number[]): Process[] {
  return which.map(readProcess).filter((found) => found !== undefined);
}

export function processes(): Process[] {
  return readProcesses(pids());
}

function closure(roots: ReadonlySet<number>, all: readonly Process[]): Process[] {
  const inside = new Set(roots);
  for (let before = -1; before !== inside.size; ) {
    before = inside.size;
    for (const { pid, parent } of all) if (inside.has(parent)) inside.add(pid);
  }
  return all.filter(({ pid, zombie }) => inside.has(pid) && !zombie);
}

/** Everything that descends from a process, without itself. */
export function descendants(pid: number): Process[] {
  return closure(new Set([pid]), processes()).filter((found) => found.pid !== pid);
}

/**
 * Everything in the process namespace whose first process is `init`, without that one. The builders of a Nix sandbox have
 * namespaces of their own below it; they are found as descendants.
 */
export function inNamespaceOf(init: number): Process[] {
  const namespaceOf = (pid: number | "self") => unlessGone(() => readlinkSync(`/proc/${pid}/ns/pid`));
  const [namespace, own] = [namespaceOf(init), namespaceOf("self")];
  if (namespace === undefined) return [];
  // Most processes of a machine are in this one's own, where no one below it is: a test that waits for a moment asks often.
  const namespaces = new Map(pids().map((pid) => [pid, namespaceOf(pid)] as const).filter(([, each]) => each !== undefined && each !== own));
  const members = [...namespaces].filter(([, each]) => each === namespace).map(([pid]) => pid);
  return closure(new Set(members), readProcesses([...namespaces.keys()])).filter(({ pid }) => pid !== init);
}
