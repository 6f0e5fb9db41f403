import type * as command from "@pulumi/command";
import type { SshHop, SshTarget } from "./target.ts";

type ConnectionArgs = command.types.input.remote.ConnectionArgs;

/**
 * The command provider's form of a target. The whole of it is a secret in the state. A change of any part runs every command
 * of the host again, so nothing varies here: the SSH agent is found by the provider itself, by SSH_AUTH_SOCK.
 */
export function connectionTo({ jump, ...target }: SshTarget): ConnectionArgs {
  return { ...hop(target), ...(jump && { proxy: hop(jump) }) };
}

function hop({ host, port, user, hostKey, privateKey }: SshHop): Omit<ConnectionArgs, "proxy"> {
  // The probe waits for a host that is down, so few dials will do here: ten take eleven seconds.
  return { host, port, user, hostKey, dialErrorLimit: 10, perDialTimeout: 15, ...(privateKey !== undefined && { privateKey }) };
}
