/**
 * A cache host in a sandbox, at 127.0.0.1: its own Nix store and daemon, an sshd whose one key can push (cache-push.sh), and
 * harmonia or its stand-in, which serves the store. Nix's daemon trusts nobody, as on a real cache host.
 */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { harmoniaCommand } from "./cache-servers.ts";
import { assemble, type Cleanup } from "./cleanup.ts";
import { freePort } from "./ports.ts";
import type { Running } from "./process.ts";
import { EMPTY_STORE, Sandbox } from "./sandbox.ts";
import { SshServer } from "./ssh-server.ts";

export interface CacheServerOptions {
  /** What it takes must be signed by one of these. */
  readonly publicKeys: readonly string[];
  /** Size of the store's disk; default: that of this machine. */
  readonly storeMiB?: number;
}

export class CacheServer {
  readonly sandbox: Sandbox;
  readonly url: string;
  /** Where to push to, as in the request of open-cache.sh. */
  readonly push: { readonly host: string; readonly port: number; readonly user: string; readonly hostKey: string };
  readonly #ssh: SshServer;
  readonly #cleanup: Cleanup;
  #web: Running | undefined;

  private constructor(sandbox: Sandbox, ssh: SshServer, port: number, cleanup: Cleanup) {
    this.sandbox = sandbox;
    this.url = `http://127.0.0.1:${port}`;
    this.push = { host: "127.0.0.1", port: ssh.port, user: "root", hostKey: ssh.hostKey };
    this.#ssh = ssh;
    this.#cleanup = cleanup;
    writeFileSync(sandbox.host("harmonia.toml"), `bind = "127.0.0.1:${port}"\nworkers = 2\npriority = 50\n`);
  }

  static async start({ publicKeys, storeMiB }: CacheServerOptions): Promise<CacheServer> {
    return assemble(async (cleanup) => {
      const sandbox = await Sandbox.create({ store: EMPTY_STORE, at: "/tmp/comfyui-cache-host" });
      cleanup.add(() => sandbox.stop());
      if (storeMiB !== undefined) await sandbox.bash(`mount -t tmpfs -o size=${storeMiB}m tmpfs /nix`);
      await sandbox.bash("nix-store --init && mkdir -p /nix/var/nix/gcroots/comfyui");
      const forced = join(sandbox.root, "forced");
      writeFileSync(sandbox.host(forced), `#!/bin/sh\nexport NIX_REMOTE=daemon PATH='${sandbox.env["PATH"]}'\nexec bash '${sandbox.root}/infra/hosts/cache-push.sh'\n`);
      chmodSync(sandbox.host(forced), 0o755);
      const ssh = await SshServer.start(sandbox, { config: [`ForceCommand ${forced}`] });
      const server = new CacheServer(sandbox, ssh, await freePort(), cleanup);
      server.trust(publicKeys);
      await server.#start();
      return server;
    });
  }

  /** What the daemon demands a signature of, from its next start on. */
  trust(publicKeys: readonly string[]): void {
    const settings = ["experimental-features = nix-command", "trusted-users = nobody", "max-jobs = 0", "substituters =", "build-users-group =", `trusted-public-keys = ${publicKeys.join(" ")}`];
    mkdirSync(this.sandbox.host("nix-conf"), { recursive: true });
    writeFileSync(this.sandbox.host("nix-conf/nix.conf"), `${settings.join("\n")}\n`);
  }

  /** Lets this key push, and no other. */
  async authorize(pushKey: string): Promise<void> {
    await this.#ssh.authorize(pushKey);
  }

  async #start(): Promise<void> {
    const env = { NIX_CONF_DIR: `${this.sandbox.root}/nix-conf`, NIX_CONFIG: "", CONFIG_FILE: join(this.sandbox.root, "harmonia.toml") };
    this.sandbox.start("nix-daemon", [], { env });
    const [program, ...args] = harmoniaCommand(this.sandbox.root);
    this.#web = this.sandbox.start(program, args, { env });
    await this.#web.outputMatches(/listening on/i);
  }

  /** The host is up again, with its store and the settings of now. */
  async resume(): Promise<void> {
    await this.#ssh.resume();
    await this.#start();
  }

  /** The host goes down, with all that runs on it. */
  async down(): Promise<void> {
    await this.sandbox.killAll();
  }

  /** Its SSH server alone goes down, and comes back. */
  async stopSsh(): Promise<void> {
    await this.#ssh.stop();
  }

  async startSsh(): Promise<void> {
    await this.#ssh.resume();
  }

  /** The store's valid paths. */
  async held(): Promise<string[]> {
    const { stdout } = await this.sandbox.bash("nix path-info --store local --all");
    return stdout.split("\n").filter((path) => path !== "");
  }

  async stop(): Promise<void> {
    await this.#cleanup.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
