import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { type HostCommand, timeouts } from "../host.ts";
import { connectionTo } from "./connection.ts";
import { patienceOf, probe } from "./probe.ts";
import type { SshTarget } from "./target.ts";

export interface CommandLine {
  /** A line for the login shell. */
  readonly create: string;
  /** Run when the stack is destroyed. Default: nothing is run. */
  readonly delete?: string;
  readonly stdin?: pulumi.Input<string>;
  /** Its standard input is a secret. Default: false. */
  readonly secret?: boolean;
  /** Whether its messages are shown while it runs. Default: where its input is no secret. */
  readonly shown?: boolean;
}

/** A user's way into a machine: what is run there is run over SSH, after one look at the machine in each run. */
export class SshLogin {
  readonly target: SshTarget;
  /** For each resource that goes there. */
  readonly connection: ReturnType<typeof connectionTo>;
  readonly hooks: pulumi.ResourceHookBinding;
  /** Looks whether the machine is there; once a run, whoever asks. */
  readonly reached: () => Promise<void>;

  /** `name`: of its look, which the state records with each command. */
  constructor(name: string, target: SshTarget) {
    this.target = target;
    this.connection = connectionTo(target);
    this.reached = once(() => probe(target, { patience: patienceOf(process.env), say: (line) => void pulumi.log.info(line) }));
    this.hooks = before(`${name}-probe`, this.reached);
  }

  command(name: string, { secret = false, shown = !secret, stdin, ...lines }: CommandLine, options: pulumi.CustomResourceOptions): HostCommand {
    const resource = new command.remote.Command(
      name,
      {
        connection: this.connection,
        ...lines,
        ...(stdin !== undefined && { stdin: secret ? pulumi.secret(stdin) : stdin }),
        addPreviousOutputInEnv: false,
        logging: shown ? command.remote.Logging.Stderr : command.remote.Logging.None,
      },
      { hooks: this.hooks, ...options, customTimeouts: timeouts },
    );
    return { resource, answer: resource.stdout };
  }
}

/** One look a run, shared by all that ask for it. */
export function once(look: () => Promise<void>): () => Promise<void> {
  let looked: Promise<void> | undefined;
  return () => (looked ??= look());
}

/** Only before a command that really runs; never in a preview, which needs no host. */
export function before(name: string, look: () => Promise<void>): pulumi.ResourceHookBinding {
  const hook = new pulumi.ResourceHook(name, look);
  return { beforeCreate: [hook], beforeUpdate: [hook] };
}
