import type * as pulumi from "@pulumi/pulumi";
import type { HostCommand } from "./host.ts";
import { SshLogin } from "./ssh/login.ts";
import type { SshHop } from "./ssh/target.ts";

export interface BootstrapHostArgs {
  /** The machine; `admin`: a user of it that is root, or becomes it by sudo without a password. */
  readonly machine: Omit<SshHop, "user"> & { readonly admin: string; readonly jump?: SshHop | undefined };
  /** What bootstrapText gives. */
  readonly text: pulumi.Input<string>;
  /** Starts the machine where it has stopped. Default: nobody does. */
  readonly wake?: (() => Promise<void>) | undefined;
}

/**
 * Sets up a machine, as NAME. The text is the command's key: it runs again when the settings or the bootstrap's own files have
 * changed, or the machine's address or key, and then changes only what differs.
 */
export function bootstrapHost(name: string, { machine, text, wake }: BootstrapHostArgs, options: pulumi.CustomResourceOptions): HostCommand {
  const { admin, ...address } = machine;
  const login = new SshLogin(name, { ...address, user: admin }, wake);
  // Nothing of the text is ever printed, and it takes minutes: its messages are shown.
  return login.command(name, { create: admin === "root" ? "exec bash -s" : "exec sudo -n bash -s", stdin: text, secret: true, shown: true }, options);
}
