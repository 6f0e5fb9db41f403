/** A copy of the project whose flavor `sample` requires what a test says, locked from a package index of the test's own. */
import { existsSync, globSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatRequirements, type RequirementsText } from "../../infra/lock/requirements-file.ts";
import { CHECKOUT, copyProject } from "./checkout.ts";
import { PackageIndex } from "./package-index.ts";
import { type Result, run } from "./process.ts";

const REQUIREMENTS = "layers/flavors/sample/requirements.json";

export class LockProject implements AsyncDisposable {
  readonly root: string;
  readonly index: PackageIndex;

  private constructor(root: string, index: PackageIndex) {
    this.root = root;
    this.index = index;
  }

  static async create(): Promise<LockProject> {
    const root = await mkdtemp(join(tmpdir(), "comfyui-lock-"));
    await copyProject(CHECKOUT, root);
    symlinkSync(join(CHECKOUT, "node_modules"), join(root, "node_modules"));
    const project = new LockProject(root, await PackageIndex.create());
    for (const file of project.locks().keys()) rmSync(join(root, file));
    await project.git("init", "--quiet");
    return project;
  }

  require(requirements: Omit<RequirementsText, "python" | "systems"> & Partial<RequirementsText>): void {
    writeFileSync(join(this.root, REQUIREMENTS), formatRequirements({ python: "3.14", systems: { "x86_64-linux": "manylinux_2_28" }, ...requirements }));
  }

  requirements(): RequirementsText {
    return JSON.parse(readFileSync(join(this.root, REQUIREMENTS), "utf8")) as RequirementsText;
  }

  /** `npm run lock -- ARGS`, without its set-up. `within`: a command that gets this one as its arguments. */
  async lock(args: readonly string[] = [], options: { readonly env?: Readonly<Record<string, string>>; readonly within?: readonly string[] } = {}): Promise<Result> {
    const [program, ...rest] = [...(options.within ?? []), process.execPath, join(this.root, "infra/lock.ts"), ...args] as [string, ...string[]];
    return run(program, rest, { env: { ...environment(), UV_DEFAULT_INDEX: this.index.url, ...options.env }, cwd: this.root, allowFailure: true, timeout: 120_000 });
  }

  /** The texts of all lock files of the flavor, by path. */
  locks(): Map<string, string> {
    return new Map(globSync("layers/locks/sample/*", { cwd: this.root }).sort().map((file) => [file, readFileSync(join(this.root, file), "utf8")]));
  }

  path(layer: string): string {
    return `layers/locks/sample/${layer}.lock.json`;
  }

  /** Each layer's locked names and versions. */
  locked(): Record<string, string[]> {
    return Object.fromEntries([...this.locks()].map(([file, text]) => [/([^/]+)\.lock\.json$/.exec(file)?.[1] ?? file, (JSON.parse(text) as { files: { name: string; version: string; system?: string }[] }).files.map(({ name, version }) => `${name} ${version}`)]));
  }

  /** Changes a lock by hand. */
  edit(layer: string, change: (text: string) => string): void {
    const path = join(this.root, this.path(layer));
    const [before, after] = [readFileSync(path, "utf8"), change(readFileSync(path, "utf8"))];
    if (before === after) throw new Error(`the edit of ${layer} changes nothing`);
    writeFileSync(path, after);
  }

  async commit(): Promise<void> {
    await this.git("add", "layers");
    await this.git("-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "--message", "test");
  }

  async git(...args: readonly string[]): Promise<string> {
    return (await run("git", ["-C", this.root, ...args])).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.index[Symbol.asyncDispose]();
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** The checkout's tools; no setting of the machine's for indexes; no waiting between tries. */
function environment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(UV_|PIP_|NODE_TEST_CONTEXT)/.test(name));
  const bin = join(CHECKOUT, ".local/bin");
  if (!existsSync(join(bin, "uv"))) throw new Error("no uv: run 'bash infra/setup.sh --tests' first");
  return { ...(Object.fromEntries(kept) as Record<string, string>), PATH: `${bin}:${process.env["PATH"]}`, UV_HTTP_RETRIES: "0" };
}
