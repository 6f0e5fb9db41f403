/**
 * A private mount and process namespace with a /nix of its own. Its first process reads from a pipe of ours: when this
 * process ends, even by kill -9, that one sees the pipe's end, and the kernel ends everything in the namespace with it and
 * takes the mounts away. Nothing else on the machine is touched.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { inNamespaceOf, type Process, processes } from "./proc-tree.ts";
import { type Result, run } from "./process.ts";

export interface Bind {
  readonly from: string;
  readonly to: string;
  readonly writable: boolean;
}

/** The first process: makes the mounts, says so, and adopts (and, being bash, reaps) orphans until its input ends. */
const INIT = `set -euo pipefail
while [ "$#" -gt 0 ]; do mount --bind -o "$1" "$2" "$3"; shift 3; done
echo ready
while read -r _; do :; done`;

export class Namespace {
  readonly init: number;
  readonly #holder: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(init: number, holder: ChildProcess, ended: Promise<unknown>) {
    this.init = init;
    this.#holder = holder;
    this.#ended = ended;
  }

  static async create(binds: readonly Bind[]): Promise<Namespace> {
    if (process.getuid?.() !== 0) throw new Error("the tests need root: each sandbox mounts a /nix of its own");
    // The mount point must exist outside; an empty folder there means nothing to any Nix.
    if (!existsSync("/nix")) await mkdir("/nix");
    const mounts = binds.flatMap(({ from, to, writable }) => [writable ? "rw" : "ro", from, to]);
    const unshare = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", INIT, "init", ...mounts];
    const holder = spawn("unshare", unshare, { stdio: ["pipe", "pipe", "inherit"], detached: true });
    const ended = once(holder, "exit");
    const ready = await Promise.race([once(holder.stdout!, "data").then(() => true), ended.then(() => false)]);
    const init = ready ? processes().find(({ parent }) => parent === holder.pid)?.pid : undefined;
    if (init === undefined) throw new Error("the sandbox's namespace could not be made: unshare or mount failed");
    return new Namespace(init, holder, ended);
  }

  /** The command line that runs a command in here. */
  enter(command: string, args: readonly string[], cwd: string): [string, string[]] {
    const inside = ["env", `--chdir=${cwd}`, command, ...args];
    return ["nsenter", ["--target", String(this.init), "--mount", "--pid", "--", ...inside]];
  }

  async #inside(command: string, args: readonly string[], allowFailure = false): Promise<Result> {
    const [program, all] = this.enter(command, args, "/");
    return run(program, all, { timeout: 60_000, allowFailure });
  }

  /** Mounts /nix: `lower`, topmost first and never written to, under the folders `upper` and `work` in `folder`. */
  async mountNix(lower: readonly string[], folder: string): Promise<void> {
    const [bottom, upper, work] = [join(folder, "bottom"), join(folder, "upper"), join(folder, "work")];
    // An overlay wants a lower folder, and `volatile` (no syncing to disk) a work folder that was never used.
    await rm(work, { recursive: true, force: true });
    for (const each of [bottom, upper, work]) await mkdir(each, { recursive: true });
    const layers = [...lower, bottom].join(":");
    const options = `lowerdir=${layers},upperdir=${upper},workdir=${work},redirect_dir=on,volatile`;
    await this.#inside("mount", ["-t", "overlay", "overlay", "-o", options, "/nix"]);
  }

  async unmountNix(): Promise<void> {
    const result = await this.#inside("umount", ["/nix"], true);
    if (result.code === 0) return;
    const left = this.processes().map(({ pid, command }) => `  ${pid} ${command}`);
    throw new Error(`/nix could not be unmounted: ${result.stderr.trim()}; processes in the sandbox:\n${left.join("\n")}`);
  }

  /** What runs in here now, without the first process. */
  processes(): Process[] {
    return inNamespaceOf(this.init);
  }

  /** Ends every process in here and takes the mounts away. */
  async stop(): Promise<void> {
    if (this.#holder.exitCode === null && this.#holder.signalCode === null) this.#holder.stdin!.end();
    await this.#ended;
  }
}
