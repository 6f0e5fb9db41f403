/**
 * Child processes of the tests. Output goes to unlinked files, not to pipes: a process that outlives its parent (which is
 * what the kill tests make) can write on undisturbed, and waiting for the parent does not wait for the heirs of its pipes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { descendants, processes } from "./proc-tree.ts";

export interface StartOptions {
  readonly input?: string | Uint8Array;
  /** The whole environment; default: this process's. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The command is a wrapper (nsenter) whose only child is the process meant: signals go to that child. */
  readonly wrapper?: boolean;
}

export interface RunOptions extends StartOptions {
  /** Milliseconds until the process and all its descendants are killed; default 10 minutes. */
  readonly timeout?: number;
  /** Give back a failed run's result instead of throwing. */
  readonly allowFailure?: boolean;
}

export interface Result {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** A command that ended with another code than 0; the message holds the last part of what it said. */
export class CommandFailed extends Error {
  constructor(line: string, result: Result) {
    const end = result.signal ?? `exit code ${result.code}`;
    super(`${line}: ${end} after ${result.seconds.toFixed(1)} s\n${result.stderr.slice(-4000)}\n${result.stdout.slice(-4000)}`);
    this.name = "CommandFailed";
  }
}

/** A file that has no name any more: what a child writes to it goes away with the last descriptor. */
function anonymousFile(): number {
  const folder = mkdtempSync(join(tmpdir(), "comfyui-output-"));
  const descriptor = openSync(join(folder, "output"), "a+");
  rmSync(folder, { recursive: true });
  return descriptor;
}

function readAll(descriptor: number): string {
  const buffer = Buffer.alloc(fstatSync(descriptor).size);
  let at = 0;
  while (at < buffer.length) {
    const count = readSync(descriptor, buffer, at, buffer.length - at, at);
    if (count === 0) break;
    at += count;
  }
  return buffer.toString("utf8", 0, at);
}

/** A started process, leader of a process group of its own. */
export class Running {
  readonly line: string;
  /** The result, whatever the exit code. */
  readonly done: Promise<Result>;
  readonly #child: ChildProcess;
  readonly #wrapper: boolean;
  readonly #files: { readonly stdout: number; readonly stderr: number };
  #final: Result | undefined;

  constructor(command: string, args: readonly string[], options: StartOptions) {
    this.line = [command, ...args].join(" ").slice(0, 300);
    this.#files = { stdout: anonymousFile(), stderr: anonymousFile() };
    const began = performance.now();
    this.#child = spawn(command, args, {
      detached: true,
      stdio: [options.input === undefined ? "ignore" : "pipe", this.#files.stdout, this.#files.stderr],
      ...(options.env ? { env: options.env } : {}),
      ...(options.cwd ? { cwd: options.cwd } : {}),
    });
    this.#wrapper = options.wrapper ?? false;
    this.done = this.#wait(began);
    // A process that is only stopped, never awaited, must not end the test run with an unhandled rejection.
    this.done.catch(() => undefined);
    // A process that does not read its input is no error of the test's.
    this.#child.stdin?.on("error", () => undefined).end(options.input);
  }

  #wait(began: number): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#child.once("error", (error) => {
        this.#close();
        reject(error);
      });
      this.#child.once("exit", (code, signal) => {
        this.#final = { code, signal, ...this.output(), seconds: (performance.now() - began) / 1000 };
        this.#close();
        resolve(this.#final);
      });
    });
  }

  #close(): void {
    closeSync(this.#files.stdout);
    closeSync(this.#files.stderr);
  }

  get ended(): boolean {
    return this.#final !== undefined;
  }

  /** The process meant; 0 where it has not started yet or has ended. */
  get pid(): number {
    const started = this.ended ? 0 : (this.#child.pid ?? 0);
    if (!this.#wrapper || started === 0) return started;
    return processes().find(({ parent }) => parent === started)?.pid ?? 0;
  }

  /** What it wrote so far. */
  output(): { stdout: string; stderr: string } {
    if (this.#final) return { stdout: this.#final.stdout, stderr: this.#final.stderr };
    return { stdout: readAll(this.#files.stdout), stderr: readAll(this.#files.stderr) };
  }

  /** Waits until its output matches; throws when it ends or the time is up before. */
  async outputMatches(pattern: RegExp, timeout = 60_000): Promise<RegExpMatchArray> {
    const end = performance.now() + timeout;
    for (;;) {
      const ended = this.ended;
      const { stdout, stderr } = this.output();
      const match = stdout.match(pattern) ?? stderr.match(pattern);
      if (match) return match;
      if (ended) throw new Error(`${this.line} ended before it wrote ${pattern}:\n${stderr.slice(-4000)}\n${stdout.slice(-4000)}`);
      if (performance.now() > end) throw new Error(`${this.line} did not write ${pattern} in ${timeout} ms:\n${stderr.slice(-4000)}`);
      await sleep(20);
    }
  }

  /** A signal to this process alone. */
  signal(signal: NodeJS.Signals): void {
    sendSignal(this.pid, signal);
  }

  /** Ends it: SIGTERM, after `grace` milliseconds SIGKILL to it and to everything that descends from it. */
  async stop(grace = 0): Promise<void> {
    if (this.ended) return;
    if (grace > 0) {
      this.signal("SIGTERM");
      await Promise.race([this.done, sleep(grace, undefined, { ref: false })]);
    }
    if (this.ended) return;
    const started = this.#child.pid ?? 0;
    for (const { pid } of descendants(started)) sendSignal(pid, "SIGKILL");
    sendSignal(started, "SIGKILL");
    await this.done;
  }
}

/** A signal to a process that may have ended by itself in the meantime. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  if (pid <= 0) return;
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

export function start(command: string, args: readonly string[], options: StartOptions = {}): Running {
  return new Running(command, args, options);
}

/** Waits for a started process, with the limits of RunOptions. */
export async function finish(running: Running, options: RunOptions = {}): Promise<Result> {
  const timeout = options.timeout ?? 600_000;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void running.stop();
  }, timeout);
  const result = await running.done.finally(() => clearTimeout(timer));
  if (late) throw new CommandFailed(`${running.line} (stopped after its limit of ${timeout} ms)`, result);
  if (result.code !== 0 && !options.allowFailure) throw new CommandFailed(running.line, result);
  return result;
}

export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  return finish(start(command, args, options), options);
}
