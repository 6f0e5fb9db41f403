/** A real sshd in a sandbox, on a loopback port: the sandbox is then a machine that another one reaches over SSH. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openssh } from "./openssh.ts";
import { freePort } from "./ports.ts";
import { run, type Running } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";

export interface SshServerOptions {
  /** Lines for sshd_config. */
  readonly config?: readonly string[];
}

export interface KeyPair {
  readonly secret: string;
  readonly public: string;
}

/** A new key pair, as ssh-keygen makes it. */
export async function keyPair(folder: string): Promise<KeyPair> {
  const file = join(folder, `key-${process.hrtime.bigint()}`);
  await mkdir(folder, { recursive: true });
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", file]);
  return { secret: await readFile(file, "utf8"), public: (await readFile(`${file}.pub`, "utf8")).trim() };
}

export class SshServer {
  readonly port: number;
  /** `TYPE BASE64`. */
  readonly hostKey: string;
  /** A private key that may log in. */
  readonly privateKey: string;
  /** The home of who logs in, as seen outside. */
  readonly home: string;
  readonly #sandbox: Sandbox;
  readonly #config: string;
  #running: Running | undefined;

  private constructor(parts: { port: number; hostKey: string; privateKey: string; home: string; sandbox: Sandbox; config: string }) {
    this.port = parts.port;
    this.hostKey = parts.hostKey;
    this.privateKey = parts.privateKey;
    this.home = parts.home;
    this.#sandbox = parts.sandbox;
    this.#config = parts.config;
  }

  /** Starts it for root, whose home is then the sandbox's. Ends with the sandbox. */
  static async start(sandbox: Sandbox, options: SshServerOptions = {}): Promise<SshServer> {
    const port = await freePort();
    const folder = join(sandbox.folder, `files/sshd-${port}`);
    const inside = `${sandbox.at}/sshd-${port}`;
    const [host, user] = [await keyPair(folder), await keyPair(folder)];
    await writeFile(join(folder, "host_key"), host.secret, { mode: 0o600 });
    await writeFile(join(folder, "authorized_keys"), `${user.public}\n`);
    const config = [
      `Port ${port}`,
      "ListenAddress 127.0.0.1",
      `HostKey ${inside}/host_key`,
      `AuthorizedKeysFile ${inside}/authorized_keys`,
      "PidFile none",
      "StrictModes no",
      "UsePAM no",
      "PasswordAuthentication no",
      "PermitRootLogin prohibit-password",
      "Subsystem sftp internal-sftp",
      `SetEnv ${Object.entries(sandbox.env).filter(([, value]) => !/["\\\n]/.test(value)).map(([name, value]) => `"${name}=${value}"`).join(" ")}`,
      ...(options.config ?? []),
    ];
    await writeFile(join(folder, "sshd_config"), `${config.join("\n")}\n`);
    // The login goes to the home of /etc/passwd, and the server drops its rights to a user that the package would make: both
    // are the sandbox's own from here on.
    await writeFile(join(folder, "passwd"), `root:x:0:0:root:${sandbox.at}/home:/bin/bash\nsshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n`);
    await mkdir(join(sandbox.folder, "files/home/.config/nix"), { recursive: true });
    // It has several lines, which sshd_config cannot hold.
    await writeFile(join(sandbox.folder, "files/home/.config/nix/nix.conf"), sandbox.env["NIX_CONFIG"] ?? "");
    await sandbox.bash(`mkdir -p /run/sshd && mount --bind ${inside}/passwd /etc/passwd`);
    const [type, base64] = host.public.split(" ");
    const server = new SshServer({ port, hostKey: `${type} ${base64}`, privateKey: user.secret, home: join(sandbox.folder, "files/home"), sandbox, config: `${inside}/sshd_config` });
    await server.resume();
    return server;
  }

  /** From now on this key may log in, and no other. */
  async authorize(publicKey: string): Promise<void> {
    await writeFile(join(this.#sandbox.folder, `files/sshd-${this.port}/authorized_keys`), `${publicKey}\n`);
  }

  /** Starts the server again after `stop`. */
  async resume(): Promise<void> {
    const { sshd, libraries } = await openssh();
    this.#running = this.#sandbox.start(sshd, ["-D", "-e", "-f", this.#config], { env: { LD_LIBRARY_PATH: libraries } });
    await this.#running.outputMatches(/Server listening on 127\.0\.0\.1/);
  }

  /** Ends the server; sessions go on, as with a restart of the service. */
  async stop(): Promise<void> {
    this.#running?.signal("SIGTERM");
    await this.#running?.done;
  }

  /** Ends the server and cuts all its connections. */
  async cut(): Promise<void> {
    this.#sandbox.kill(/^sshd: |sshd-session/);
    await this.stop();
  }

  /** The stack's `buildHost` that this server is, without its secret: the private key is `buildHost.privateKey`. */
  asBuildHost(): Record<string, unknown> {
    return { kind: "ssh", host: "127.0.0.1", port: this.port, user: "root", hostKey: this.hostKey };
  }
}
