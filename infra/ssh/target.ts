/** A machine that is reached over SSH, as the configuration names it. */
export interface SshTarget extends SshHop {
  /** The host that the connection goes through. Its login is its own: nothing of the target's is used there. */
  readonly jump?: SshHop | undefined;
}

export interface SshHop {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** `TYPE BASE64`: the only host key that is accepted. */
  readonly hostKey: string;
  /** PEM, without a passphrase. Without it the keys of the SSH agent are offered. */
  readonly privateKey?: string | undefined;
  /** The agent's socket. Default: SSH_AUTH_SOCK. */
  readonly agent?: string | undefined;
}

/** `user@host`, with the port where it is not 22: what messages call the machine. */
export function addressOf({ user, host, port }: { readonly user?: string; readonly host: string; readonly port: number }): string {
  const name = user === undefined ? host : `${user}@${host}`;
  return port === 22 ? name : `${name} (port ${port})`;
}
