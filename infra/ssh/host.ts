import type * as pulumi from "@pulumi/pulumi";
import type { Host, HostCommand, HostRun } from "../host.ts";
import { type HostNote, leavingLine } from "../host-note.ts";
import { connect } from "./client.ts";
import { once, SshLogin } from "./login.ts";
import { lookFor } from "./probe.ts";
import { addressOf, type SshTarget } from "./target.ts";

export interface SshHostArgs {
  readonly target: SshTarget;
  /** The stack's folder on the host, relative to the user's home: its sources, and below .local its state and keys. */
  readonly folder: string;
  /** Starts the machine where it has stopped. Default: nobody does. */
  readonly wake?: (() => Promise<void>) | undefined;
}

/** A machine that is reached over SSH. Its scripts come with the sources, so `run` waits for them by `dependsOn`. */
export class SshHost implements Host {
  readonly login: SshLogin;
  /** For what goes into the stack's folder. */
  readonly folderHooks: pulumi.ResourceHookBinding;
  readonly #folder: string;
  readonly #target: SshTarget;
  readonly #hasSources: () => Promise<void>;
  readonly #scriptHooks: pulumi.ResourceHookBinding;

  constructor(name: string, { target, folder, wake }: SshHostArgs) {
    this.login = new SshLogin(name, target, wake);
    this.#folder = folder;
    this.#target = target;
    const has = (path: string) =>
      once(async () => {
        await this.login.reached();
        await lookFor(path, target);
      });
    this.folderHooks = this.login.hooksOf(`${name}-folder-probe`, has(folder));
    this.#hasSources = has(`${folder}/infra/hosts/common.sh`);
    this.#scriptHooks = this.login.hooksOf(`${name}-sources-probe`, this.#hasSources);
  }

  run(name: string, { script, request, release, secret = false, note }: HostRun, options: pulumi.CustomResourceOptions): HostCommand {
    // One constant line: any change of it would run everything again.
    const line = (file: string) => `exec bash ${this.#folder}/infra/hosts/${file}.sh`;
    return this.login.command(name, { create: line(script), ...(release !== undefined && { delete: line(release) }), stdin: request, secret }, { ...options, hooks: note === undefined ? this.#scriptHooks : this.#leaving(name, note) });
  }

  #leaving(name: string, note: HostNote): pulumi.ResourceHookBinding {
    return this.login.hooksOf(`${name}-note`, async () => {
      await this.#hasSources();
      const connection = await connect(this.#target);
      const { line, input } = leavingLine(this.#folder, note);
      let problem = "";
      const { code } = await connection.run(line, { input, said: (said) => (problem += said) }).finally(() => connection.end());
      if (code !== 0) throw new Error(`${note.file} could not be written on ${addressOf(this.#target)}: ${problem.trim()}`);
    });
  }
}
