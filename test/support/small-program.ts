/** A Pulumi program of a few lines, with the checkout's packages, under the real engine: what a whole stack would take minutes for. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHECKOUT } from "./checkout.ts";
import { finish, type Result, run, type Running, start } from "./process.ts";

export class SmallProgram implements Disposable {
  readonly folder: string;
  readonly #env: Readonly<Record<string, string>>;

  private constructor(folder: string, more: Readonly<Record<string, string>>) {
    this.folder = folder;
    const { PULUMI_CONFIG_PASSPHRASE_FILE: _, ...env } = process.env as Record<string, string>;
    this.#env = { ...env, PULUMI_BACKEND_URL: `file://${folder}`, PULUMI_CONFIG_PASSPHRASE: "only for tests", PULUMI_STACK: "dev", ...more };
  }

  /** The program's text; it starts in a folder where it finds `files` of infra/. `env`: added to the environment of each run. */
  static async create(text: string, files: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<SmallProgram> {
    const program = new SmallProgram(mkdtempSync(join(tmpdir(), "comfyui-small-")), env);
    const { folder } = program;
    symlinkSync(join(CHECKOUT, "node_modules"), join(folder, "node_modules"));
    for (const file of files) symlinkSync(join(CHECKOUT, "infra", file), join(folder, file));
    writeFileSync(join(folder, "package.json"), '{"name": "small", "type": "module", "main": "index.ts"}');
    writeFileSync(join(folder, "Pulumi.yaml"), "name: small\nruntime: nodejs\n");
    writeFileSync(join(folder, "index.ts"), text);
    await program.pulumi(["stack", "init", "dev"]);
    return program;
  }

  async pulumi(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> {
    return finish(this.start(args, env), { allowFailure: true });
  }

  /** A run that can be watched, interrupted and killed. */
  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    return start("pulumi", [...args, "--non-interactive", "--color", "never"], { cwd: this.folder, env: { ...this.#env, ...env } });
  }

  /** As a person sees it on a terminal, without colours and movements. */
  async onTerminal(args: readonly string[]): Promise<string> {
    const { stdout } = await run("script", ["-qec", `stty cols 200 rows 50; pulumi ${args.join(" ")}`, "/dev/null"], { cwd: this.folder, env: { ...this.#env, TERM: "xterm" } });
    return stdout.replace(/\u001b\[[0-9;?]*[a-zA-Z]/g, "").replace(/\r/g, "");
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}
