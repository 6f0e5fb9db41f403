/**
 * A Sandbox is a fresh machine for one test: a copy of the project with its own .local (backend, host state, keys, cache,
 * images) and its own /nix. Inside, the project is always at the same path, so that a copy of a warm sandbox is as warm;
 * outside, it lies in a folder of its own (`host()`).
 */
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CHECKOUT, copyProject, machineEnvironment, projectEnvironment, shareTools } from "./checkout.ts";
import { assemble, type Cleanup } from "./cleanup.ts";
import { Namespace } from "./namespace.ts";
import type { Process } from "./proc-tree.ts";
import { finish, type Result, run, type RunOptions, type Running, sendSignal, start, type StartOptions } from "./process.ts";
import { downloads } from "./test-cache.ts";

/** What lies under a sandbox's /nix, topmost first; never written to. */
export interface Store {
  readonly lower: readonly string[];
  /** Project files that belong to the store's content (a re-made lock), laid over the project's. */
  readonly files?: string;
}

export const EMPTY_STORE: Store = { lower: [] };

/** The frozen state of a sandbox: its files and its store. Any number of sandboxes start from it; stop it after them. */
export class Snapshot {
  readonly folder: string;
  readonly store: Store;
  readonly at: string;

  constructor(folder: string, store: Store, at: string) {
    this.folder = folder;
    this.store = store;
    this.at = at;
  }

  async stop(): Promise<void> {
    await run("rm", ["-rf", "--one-file-system", this.folder]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

export interface SandboxOptions {
  readonly store: Store;
  /** Where the sandbox is seen inside; the project is `project` below it. Another path is a test of its own. */
  readonly at?: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The checkout to copy; default: the one these tests belong to. */
  readonly checkout?: string;
  /** `set-up` (default): the checkout's tools are there, as after `npm run setup`; `none`: a bare copy of the project. */
  readonly tools?: "set-up" | "none";
  /** Where its folder is made; default: the temporary folder. */
  readonly parent?: string;
}

const AT = "/tmp/comfyui-sandbox";

interface Parts {
  readonly folder: string;
  readonly at: string;
  readonly env: Readonly<Record<string, string>>;
  readonly namespace: Namespace;
  readonly cleanup: Cleanup;
  readonly store: Store;
}

export class Sandbox {
  /** The sandbox's folder as seen inside. */
  readonly at: string;
  /** The project's folder as seen inside. */
  readonly root: string;
  /** The sandbox's folder as seen outside. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #namespace: Namespace;
  readonly #cleanup: Cleanup;
  #store: Store;

  private constructor(parts: Parts) {
    this.folder = parts.folder;
    this.at = parts.at;
    this.root = join(parts.at, "project");
    this.env = parts.env;
    this.#namespace = parts.namespace;
    this.#cleanup = parts.cleanup;
    this.#store = parts.store;
  }

  static async create(options: SandboxOptions): Promise<Sandbox> {
    return Sandbox.#make(options, options.at ?? AT, async (folder, checkout) => {
      await copyProject(checkout, join(folder, "files/project"));
      if (options.store.files) await copyInto(options.store.files, join(folder, "files/project"));
    });
  }

  /** A sandbox in the state of a snapshot. It is seen at the snapshot's path, because stacks record paths. */
  static async from(snapshot: Snapshot): Promise<Sandbox> {
    return Sandbox.#make({ store: snapshot.store }, snapshot.at, async (folder) => {
      await copyInto(join(snapshot.folder, "files"), join(folder, "files"));
    });
  }

  static async #make(
    options: SandboxOptions,
    at: string,
    fill: (folder: string, checkout: string) => Promise<void>,
  ): Promise<Sandbox> {
    const { store, checkout = CHECKOUT, parent = tmpdir(), tools = "set-up" } = options;
    return assemble(async (cleanup) => {
      const folder = await mkdtemp(join(parent, "comfyui-test-"));
      cleanup.add(() => run("rm", ["-rf", "--one-file-system", folder]));
      for (const name of ["files/home", "files/tmp", "nix"]) await mkdir(join(folder, name), { recursive: true });
      await fill(folder, checkout);
      const root = join(at, "project");
      const binds = tools === "none" ? [] : await shareTools(checkout, join(folder, "files/project"), root);
      await mkdir(at, { recursive: true });
      const namespace = await Namespace.create([{ from: join(folder, "files"), to: at, writable: true }, ...binds]);
      cleanup.add(() => namespace.stop());
      await namespace.mountNix(store.lower, join(folder, "nix"));
      const shell = tools === "none" ? machineEnvironment(checkout) : await projectEnvironment(checkout, root);
      const env = { ...shell, ...privateFolders(at), ...options.env };
      return new Sandbox({ folder, at, env, namespace, cleanup, store });
    });
  }

  /** The path outside of a path inside (absolute, or relative to the project). */
  host(path = "."): string {
    const absolute = isAbsolute(path) ? path : join(this.root, path);
    const below = relative(this.at, absolute);
    if (below.startsWith("..")) throw new Error(`${path} is not in the sandbox's folder ${this.at}`);
    return join(this.folder, "files", below);
  }

  /** The path outside of a path below /nix: as the sandbox sees it, through its first process. */
  nix(path: string): string {
    return `/proc/${this.#namespace.init}/root${path}`;
  }

  /** Starts a command inside; `env` is added to the sandbox's, `cwd` is a path inside (default: the project). */
  start(command: string, args: readonly string[] = [], options: StartOptions = {}): Running {
    const [program, all] = this.#namespace.enter(command, args, options.cwd ?? this.root);
    return start(program, all, {
      ...(options.input === undefined ? {} : { input: options.input }),
      env: { ...this.env, ...options.env },
      wrapper: true,
    });
  }

  async run(command: string, args: readonly string[] = [], options: RunOptions = {}): Promise<Result> {
    return finish(this.start(command, args, options), options);
  }

  /** A line of bash, stopping at the first error. */
  async bash(script: string, options: RunOptions = {}): Promise<Result> {
    return this.run("bash", ["-euo", "pipefail", "-c", script], options);
  }

  /** The sandbox's processes whose name or command line matches; their ids are those seen outside. */
  processes(pattern = /(?:)/): Process[] {
    return this.#namespace.processes().filter(({ name, command }) => pattern.test(name) || pattern.test(command));
  }

  /** Kills all processes that match; answers which. */
  kill(pattern: RegExp): Process[] {
    const found = this.processes(pattern);
    for (const { pid } of found) sendSignal(pid, "SIGKILL");
    return found;
  }

  /** Ends everything that still runs inside: what outlived a killed run. */
  async killAll(): Promise<void> {
    while (this.kill(/(?:)/).length > 0) await sleep(20);
  }

  /** Throws away what was put into /nix; then it is what `store` says (default: what it was at the start). */
  async wipeStore(store: Store = this.#store): Promise<void> {
    await this.#namespace.unmountNix();
    await run("rm", ["-rf", join(this.folder, "nix/upper")]);
    await this.#namespace.mountNix(store.lower, join(this.folder, "nix"));
    this.#store = store;
  }

  /** Freezes the state; this sandbox goes on from it. Nothing may run inside. `folder`: where to keep it. */
  async snapshot(folder?: string): Promise<Snapshot> {
    const target = folder ?? (await mkdtemp(join(tmpdir(), "comfyui-snapshot-")));
    await copyInto(join(this.folder, "files"), join(target, "files"));
    await this.#namespace.unmountNix();
    await run("mv", [join(this.folder, "nix/upper"), join(target, "upper")]);
    this.#store = { lower: [join(target, "upper"), ...this.#store.lower] };
    await this.#namespace.mountNix(this.#store.lower, join(this.folder, "nix"));
    return new Snapshot(target, this.#store, this.at);
  }

  /** Ends what still runs inside, unmounts and removes. */
  async stop(): Promise<void> {
    await this.#cleanup.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Copies a folder's content, with modes, times and links; sparse or shared blocks where the file system can. */
async function copyInto(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await run("cp", ["-a", "--reflink=auto", `${from}/.`, to]);
}

/** Nothing of the user's home or of other tests is seen; downloads are shared by all tests. */
function privateFolders(at: string): Record<string, string> {
  return { HOME: join(at, "home"), TMPDIR: join(at, "tmp"), COMFYUI_DOWNLOADS: downloads() };
}
