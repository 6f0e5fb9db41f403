/**
 * What is to be done after a run of pulumi was killed or the power went: takes away the dead run's lock and its pending
 * operations. `npm run recover`; `npm run quickstart` does it by itself. Refuses while the run lives.
 */
import { hostname } from "node:os";
import { join } from "node:path";
import { type Fault, FaultError } from "./faults.ts";
import { backendFolder, isPulumi, type Lock, lockState, readLocks } from "./quickstart/locks.ts";
import { pulumi } from "./quickstart/pulumi-cli.ts";
import { projectName } from "./quickstart/project.ts";

export interface PendingOperation {
  readonly type: string;
  readonly resource: { readonly urn: string; readonly type: string };
}

export interface RecoverOptions {
  readonly root: string;
  readonly stack: string;
  /** Also take away locks whose owner is on another machine, where nobody can look whether it lives. */
  readonly force: boolean;
  readonly say: (line: string) => void;
}

/** Answers whether there was anything to do. */
export async function recover({ root, stack, force, say }: RecoverOptions): Promise<boolean> {
  const backend = backendFolder(process.env["PULUMI_BACKEND_URL"] ?? "");
  const locks = backend === undefined ? [] : readLocks(backend, projectName(root), stack);
  const held = locks.map((lock) => ({ lock, state: lockState(lock, hostname(), isPulumi) }));
  const faults = held.flatMap(({ lock, state }) => (state === "alive" || (state === "elsewhere" && !force) ? [lockFault(lock, state)] : []));
  if (faults.length > 0) throw new FaultError(faults);
  if (locks.length > 0) {
    await pulumi(["cancel", "--yes", "--stack", stack], root);
    for (const { lock } of held) say(`recover: took away the lock of ${ownerOf(lock)}, which is dead`);
  }
  const cleared = await clearPending(root, stack, say);
  return locks.length > 0 || cleared;
}

function ownerOf({ owner }: Lock): string {
  return owner === undefined ? "an unknown process" : `process ${owner.pid} of ${owner.username}@${owner.hostname}, ${owner.timestamp}`;
}

function lockFault(lock: Lock, state: "alive" | "elsewhere"): Fault {
  const where = "the stack's lock";
  if (state === "alive") {
    return { code: "RECOVER_LIVE", where, problem: "its owner is running", found: ownerOf(lock), fix: `wait until it has ended, or end it in order: kill -INT ${lock.owner?.pid}` };
  }
  return {
    code: "RECOVER_LIVE",
    where,
    problem: "its owner is on another machine (or this one had another name), so it may be running",
    found: ownerOf(lock),
    expected: `a process of ${hostname()}`,
    fix: "where you know that it is dead: npm run recover -- --force",
  };
}

/** Commands only: their scripts can be run again. Anything else may exist in the cloud, and forgetting it would leave it there. */
export function splitPending(pending: readonly PendingOperation[]): { commands: PendingOperation[]; others: PendingOperation[] } {
  const isCommand = ({ resource }: PendingOperation) => resource.type.startsWith("command:");
  return { commands: pending.filter(isCommand), others: pending.filter((each) => !isCommand(each)) };
}

async function clearPending(root: string, stack: string, say: (line: string) => void): Promise<boolean> {
  const state = JSON.parse(await pulumi(["stack", "export", "--stack", stack], root)) as { deployment?: { pending_operations?: PendingOperation[] } };
  const { commands, others } = splitPending(state.deployment?.pending_operations ?? []);
  if (others.length > 0) {
    const list = others.map(({ type, resource }) => `  ${type} ${resource.urn}`).join("\n");
    say(`recover: these operations were cut off, and only you can know how far they came:\n${list}\nrecover: look them up, then: pulumi refresh`);
    return true;
  }
  if (commands.length === 0) return false;
  await pulumi(["refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--stack", stack], root);
  for (const { type, resource } of commands) say(`recover: cut off while ${type}, will run again: ${resource.urn.split("::").at(-1)}`);
  return true;
}

async function main(): Promise<void> {
  const root = join(import.meta.dirname, "..");
  const stack = process.env["PULUMI_STACK"] ?? "local";
  const done = await recover({ root, stack, force: process.argv.includes("--force"), say: (line) => console.log(line) });
  console.log(done ? "recover: done; go on with: . .local/env.sh && pulumi up" : "recover: nothing to do");
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
