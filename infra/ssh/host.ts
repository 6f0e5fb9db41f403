import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { type Host, type HostCommand, type HostRun, timeouts } from "../host.ts";
import { connectionTo } from "./connection.ts";
import { lookForSources, patienceOf, probe } from "./probe.ts";
import type { SshTarget } from "./target.ts";

export interface SshHostArgs {
  readonly target: SshTarget;
  /** The stack's folder on the host, relative to the user's home: its sources, and below .local its state and keys. */
  readonly folder: string;
}

/** A machine that is reached over SSH. Its scripts come with the sources, so `run` waits for them by `dependsOn`. */
export class SshHost implements Host {
  readonly connection: ReturnType<typeof connectionTo>;
  /** What each resource that goes to this host needs: first a look whether it is there. */
  readonly hooks: pulumi.ResourceHookBinding;
  readonly #folder: string;
  readonly #scriptHooks: pulumi.ResourceHookBinding;

  /** `name`: of the host's probes, which are recorded with each command. */
  constructor(name: string, { target, folder }: SshHostArgs) {
    this.connection = connectionTo(target);
    this.#folder = folder;
    const reached = once(() => probe(target, { patience: patienceOf(process.env), say: (line) => void pulumi.log.info(line) }));
    const equipped = once(async () => {
      await reached();
      await lookForSources(target, folder);
    });
    this.hooks = before(`${name}-probe`, reached);
    this.#scriptHooks = before(`${name}-sources-probe`, equipped);
  }

  run(name: string, { script, request, release, secret = false }: HostRun, options: pulumi.CustomResourceOptions): HostCommand {
    // One constant line: any change of it would run everything again.
    const line = (file: string) => `exec bash ${this.#folder}/infra/hosts/${file}.sh`;
    const stdin = secret ? pulumi.secret(request) : request;
    return this.command(name, { create: line(script), ...(release !== undefined && { delete: line(release) }), stdin, secret }, { ...options, hooks: this.#scriptHooks });
  }

  /** A command line of the login shell. */
  command(name: string, { secret = false, ...args }: LineArgs, options: pulumi.CustomResourceOptions): HostCommand {
    const logging = secret ? command.remote.Logging.None : command.remote.Logging.Stderr;
    const resource = new command.remote.Command(
      name,
      { connection: this.connection, ...args, addPreviousOutputInEnv: false, logging },
      { hooks: this.hooks, ...options, customTimeouts: timeouts },
    );
    return { resource, answer: resource.stdout };
  }
}

interface LineArgs {
  readonly create: string;
  readonly delete?: string;
  readonly stdin?: pulumi.Input<string>;
  readonly secret?: boolean;
}

/** One look a run, shared by all that ask for it. */
function once(look: () => Promise<void>): () => Promise<void> {
  let looked: Promise<void> | undefined;
  return () => (looked ??= look());
}

/** Only before a command that really runs; never in a preview, which needs no host. */
function before(name: string, look: () => Promise<void>): pulumi.ResourceHookBinding {
  const hook = new pulumi.ResourceHook(name, look);
  return { beforeCreate: [hook], beforeUpdate: [hook] };
}
