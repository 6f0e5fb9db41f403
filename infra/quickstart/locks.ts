/** Locks of Pulumi's file backend: who holds them, and whether that process is still there. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Lock {
  readonly file: string;
  /** Absent where the file cannot be read: the power went while it was written. */
  readonly owner?: { readonly pid: number; readonly hostname: string; readonly username: string; readonly timestamp: string };
}

export type LockState = "alive" | "dead" | "elsewhere";

/** The folder of a file backend; nothing where the backend is no folder. */
export function backendFolder(url: string): string | undefined {
  return url.startsWith("file://") ? decodeURIComponent(url.slice("file://".length)) : undefined;
}

/** All locks of one stack. The folder between `locks` and the project is the organization. */
export function readLocks(backend: string, project: string, stack: string): Lock[] {
  const folder = join(backend, ".pulumi/locks");
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".json") && `/${name}`.includes(`/${project}/${stack}/`))
    .map((name) => ({ file: join(folder, name), ...parseOwner(readFileSync(join(folder, name), "utf8")) }));
}

export function parseOwner(text: string): Pick<Lock, "owner"> {
  try {
    const { pid, hostname, username, timestamp } = JSON.parse(text) as Record<string, unknown>;
    if (typeof pid !== "number" || typeof hostname !== "string") return {};
    return { owner: { pid, hostname, username: String(username), timestamp: String(timestamp) } };
  } catch {
    return {};
  }
}

/** A process of another machine cannot be asked whether it lives. */
export function lockState(lock: Lock, hostname: string, isPulumi: (pid: number) => boolean): LockState {
  if (lock.owner === undefined) return "dead";
  if (lock.owner.hostname !== hostname) return "elsewhere";
  return isPulumi(lock.owner.pid) ? "alive" : "dead";
}

/** Is there such a process, and is it a pulumi? Numbers are used again, after a restart of the machine at the latest. */
export function isPulumi(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const file = `/proc/${pid}/stat`;
  return !existsSync(file) || isLivePulumi(readFileSync(file, "utf8"));
}

/** `32677 (pulumi) S 1 …`; a zombie (Z) is a dead process that its parent has not asked for yet. */
export function isLivePulumi(stat: string): boolean {
  const [, name = "", state = ""] = /^\d+ \((.*)\) (\S)/s.exec(stat) ?? [];
  return name.startsWith("pulumi") && state !== "Z" && state !== "X";
}
