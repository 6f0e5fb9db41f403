import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { FaultError } from "../faults.ts";
import { type HostCommand, timeouts } from "../host.ts";
import { connectionTo } from "./connection.ts";
import { patienceOf, probe } from "./probe.ts";
import { addressOf, type SshTarget } from "./target.ts";

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
  readonly #again: pulumi.ErrorHook;

  /** `name`: of its looks, which the state records with each command. `wake`: starts the machine where it has stopped. */
  constructor(name: string, target: SshTarget, wake: () => Promise<void> = async () => undefined) {
    this.target = target;
    this.connection = connectionTo(target);
    const look = async () => {
      await wake();
      await probe(target, { patience: patienceOf(process.env), say });
    };
    this.reached = once(look);
    this.#again = new pulumi.ErrorHook(`${name}-again`, ({ errors }) => againAfter(errors, target, look));
    this.hooks = this.hooksOf(`${name}-probe`, this.reached);
  }

  /** `look` comes before each command that really runs; a command whose connection was cut is sent again. */
  hooksOf(name: string, look: () => Promise<void>): pulumi.ResourceHookBinding {
    // The engine puts words of its own before the message: a fault begins on a line of its own.
    const hook = new pulumi.ResourceHook(name, () => look().catch((error: Error) => Promise.reject(new Error(`\n${error.message}`))));
    return { beforeCreate: [hook], beforeUpdate: [hook], onError: [this.#again] };
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

function say(line: string): void {
  void pulumi.log.info(line, undefined, undefined, true);
}

/** What the provider says of a connection that ended before its command did, or that could not be made. */
const cut = /remote command exited without exit status|after \d+ failed attempts|connection (reset|refused|timed out|lost)|broken pipe|use of closed network connection|: EOF\b/;
const mostCuts = 5;

/** Whether to send a command again: its connection was cut, and the host is there again. `errors`: the newest first. */
export async function againAfter(errors: readonly string[], target: SshTarget, look: () => Promise<void>): Promise<boolean> {
  const [last = ""] = errors;
  if (!cut.test(last.split("\n")[0] ?? "")) return false;
  if (errors.length > mostCuts) {
    throw new FaultError([{ code: "HOST_CONNECTION_LOST", where: addressOf(target), problem: `the connection was cut ${errors.length} times while one command ran`, found: last.split("\n")[0] ?? "" }]);
  }
  say(`the connection to ${addressOf(target)} was cut; looking for the host, to join what runs there`);
  await look();
  return true;
}
