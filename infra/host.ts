import { join } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { type HostNote, leaveHere } from "./host-note.ts";

/** A run of one script of infra/hosts on the build host. */
export interface HostRun {
  /** File name in infra/hosts/, without `.sh`. */
  readonly script: string;
  /** Canonical JSON for the script's standard input. It is the command's key: the script runs again when, and only when, it changes. */
  readonly request: pulumi.Input<string>;
  /** Script that gets the same request when the stack is destroyed. Default: none, nothing is run. */
  readonly release?: string;
  /** The request holds a secret: nothing of the run is shown while it lasts. Default: it holds none. */
  readonly secret?: boolean;
  /** What the script is told beside its request, without being part of the key. Default: nothing. */
  readonly note?: HostNote;
}

/** A machine that runs host scripts. */
export interface Host {
  /** Declares a run; the answer is the script's one JSON object. */
  run(name: string, run: HostRun, options: pulumi.CustomResourceOptions): HostCommand;
}

export interface HostCommand {
  readonly resource: pulumi.Resource;
  readonly answer: pulumi.Output<string>;
}

// The provider ends no command by itself, but the engine waits only this long; the scripts have limits of their own.
export const timeouts = { create: "12h", update: "12h", delete: "1h" };

/** The machine that runs pulumi. Commands start in the program's folder, infra/. */
export class LocalHost implements Host {
  run(name: string, { script, request, release, secret = false, note }: HostRun, options: pulumi.CustomResourceOptions): HostCommand {
    const resource = new command.local.Command(
      name,
      {
        // One constant line: any change of it would run everything again.
        create: `exec bash hosts/${script}.sh`,
        ...(release === undefined ? {} : { delete: `exec bash hosts/${release}.sh` }),
        stdin: secret ? pulumi.secret(request) : request,
        addPreviousOutputInEnv: false,
        logging: secret ? command.local.Logging.None : command.local.Logging.Stderr,
      },
      { ...options, ...(note && { hooks: leaving(name, note) }), customTimeouts: timeouts },
    );
    return { resource, answer: resource.stdout };
  }
}

/** Before the command really runs; a preview leaves nothing. */
function leaving(name: string, note: HostNote): pulumi.ResourceHookBinding {
  const state = process.env["COMFYUI_STATE"] ?? join(import.meta.dirname, "../.local/host");
  const hook = new pulumi.ResourceHook(`${name}-note`, () => leaveHere(state, note));
  return { beforeCreate: [hook], beforeUpdate: [hook] };
}
