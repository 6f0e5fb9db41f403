/** Set-up on a fresh copy of the checkout, in a folder with a space in its name, with what this machine's own set-up has kept. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { CHECKOUT, copyProject } from "./checkout.ts";
import { type Result, run } from "./process.ts";
import { downloads } from "./test-cache.ts";

export interface KeptTool {
  /** Program and version. */
  readonly name: string;
  readonly folder: string;
}

/** What this machine's own set-up keeps for all checkouts. */
export function keptTools(): KeptTool[] {
  const tools = join(downloads(), "tools");
  if (!existsSync(tools)) return [];
  return readdirSync(tools).filter((name) => !name.startsWith(".")).map((name) => ({ name, folder: join(tools, name) }));
}

/** Copies kept tools whose names match into a downloads folder, by hard links where the disk allows it. */
export async function giveTools(target: string, wanted = /./): Promise<void> {
  mkdirSync(join(target, "tools"), { recursive: true });
  for (const { name, folder } of keptTools().filter((each) => wanted.test(each.name))) {
    // Nix is changed where it lies elsewhere.
    const copy = name.startsWith("nix-") ? 'cp -a "$1/." "$2"' : 'cp -al "$1/." "$2" 2>/dev/null || cp -a --remove-destination "$1/." "$2"';
    await run("sh", ["-c", `mkdir "$2" && { ${copy}; }`, "sh", folder, join(target, "tools", name)]);
  }
}

/** As a newcomer's shell: nothing of this project on PATH. */
export const systemPath = (process.env["PATH"] ?? "").split(delimiter).filter((entry) => !entry.startsWith(`${CHECKOUT}/`)).join(delimiter);

const PARTS = ["hosts/common", "hosts/debian-apt", ...["report", "kept", "packages", "wheels", "node", "engine", "pulumi", "nix", "state", "plan"].map((part) => `setup/${part}`)];

/** Lines of bash that make set-up's functions known, for variables `root`, `local_dir`, `downloads` and `system_path` of the environment. */
export const shellParts = `set -euo pipefail; ${PARTS.map((part) => `. ${join(CHECKOUT, "infra", part)}.sh`).join("; ")}`;

export interface SetUpOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly allowFailure?: boolean;
  readonly args?: readonly string[];
}

/** The codes of what set-up says is wrong. */
export const codes = (text: string): string[] => [...text.matchAll(/error\[(\w+)\]/g)].map(([, code = ""]) => code);

export class FreshCheckout implements AsyncDisposable {
  /** Whatever belongs to the test. */
  readonly folder: string;
  /** The copy. */
  readonly root: string;
  /** Its COMFYUI_DOWNLOADS: the default, within it. */
  readonly downloads: string;

  readonly #farms: string;

  private constructor(folder: string, farms: string) {
    this.#farms = farms;
    this.folder = folder;
    this.root = join(folder, "a check'out");
    this.downloads = join(this.root, ".local/downloads");
  }

  static async create(): Promise<FreshCheckout> {
    const fresh = new FreshCheckout(mkdtempSync(join(tmpdir(), "setup ")), mkdtempSync(join(tmpdir(), "setup-path-")));
    // An unprivileged user has to pass through these.
    for (const each of [fresh.folder, fresh.#farms]) chmodSync(each, 0o755);
    if (process.env["COMFYUI_TEST_RUN"] !== undefined) chmodSync(process.env["COMFYUI_TEST_RUN"], 0o711);
    await copyProject(CHECKOUT, fresh.root);
    return fresh;
  }

  /** This machine's environment without settings of the project. */
  environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    const kept = Object.entries(process.env).filter(([name]) => !/^(PULUMI_|NIX_CONFIG|COMFYUI_|npm_|INIT_CWD|NODE_)/.test(name));
    return { ...(Object.fromEntries(kept) as Record<string, string>), PATH: systemPath, COMFYUI_DOWNLOADS: this.downloads, ...more };
  }

  setUp({ env = {}, user, allowFailure = false, args: more = [] }: SetUpOptions = {}): Promise<Result> {
    const command = ["bash", "infra/setup.sh", ...more];
    const [program = "bash", ...args] = user === undefined ? command : ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", ...command];
    return run(program, args, { cwd: this.root, env: this.environment(env), allowFailure });
  }

  /** What a command says in a shell that has read the environment's file. */
  async sourced(code: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
    return (await run("sh", ["-c", `. .local/env.sh && ${code}`], { cwd: this.root, env: this.environment(env) })).stdout;
  }

  /** A folder of links to everything on PATH but these programs, to be used as PATH. */
  pathWithout(name: string, missing: readonly string[]): string {
    // The scripts of some tools cannot stand a space there.
    const farm = join(this.#farms, name);
    mkdirSync(farm);
    for (const entry of systemPath.split(delimiter).filter((each) => existsSync(each))) {
      for (const file of readdirSync(entry)) {
        if (!missing.includes(file) && !existsSync(join(farm, file))) symlinkSync(join(entry, file), join(farm, file));
      }
    }
    return farm;
  }

  /** Gives the copy to another user for a while. */
  async ownedBy(user: string, use: () => Promise<void>): Promise<void> {
    await run("chown", ["-R", `${user}:${user}`, this.root]);
    await use().finally(() => run("chown", ["-R", "0:0", this.root]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("rm", ["-rf", this.folder, this.#farms]);
  }
}
