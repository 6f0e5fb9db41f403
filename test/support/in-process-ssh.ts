/** An SSH server in this process, to see what a client makes of a host's answers; builds are tested with a real sshd. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { keyLine, publicLineOf } from "../../infra/ssh/host-key.ts";
import type { SshTarget } from "../../infra/ssh/target.ts";

export interface ServerOptions {
  /** What a command answers: standard output, or an exit code other than 0. */
  readonly answer?: (command: string) => string | number;
  /** Host keys, as private keys. Default: one of ed25519. */
  readonly hostKeys?: readonly string[];
}

/** By ssh-keygen: of the keys that ssh2 itself makes, one in 256 cannot be read. */
export function privateKey(type: "ed25519" | "ecdsa" = "ed25519"): string {
  const folder = mkdtempSync(join(tmpdir(), "comfyui-key-"));
  try {
    execFileSync("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", "", "-f", join(folder, "key")]);
    return readFileSync(join(folder, "key"), "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export class InProcessSsh {
  /** The way in that it accepts. */
  readonly target: SshTarget;
  /** Commands that it was asked to run, and places it was asked to forward to. */
  readonly asked: string[] = [];
  readonly #server: ssh2.Server;

  private constructor(server: ssh2.Server, target: SshTarget) {
    this.#server = server;
    this.target = target;
  }

  static async start({ answer = () => "", hostKeys = [privateKey()] }: ServerOptions = {}): Promise<InProcessSsh> {
    const key = privateKey();
    const server = new ssh2.Server({ hostKeys: [...hostKeys] });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const running = new InProcessSsh(server, { host: "127.0.0.1", port, user: "comfyui", hostKey: publicLineOf(hostKeys[0] as string), privateKey: key });
    server.on("connection", (client) => running.#serve(client, publicLineOf(key), answer));
    return running;
  }

  #serve(client: ssh2.Connection, allowed: string, answer: (command: string) => string | number): void {
    client.on("error", () => undefined);
    client.on("authentication", (context) => {
      if (context.method === "publickey" && keyLine(context.key.data) === allowed) context.accept();
      else context.reject();
    });
    client.on("session", (accept) =>
      accept().on("exec", (acceptExec, _reject, { command }) => {
        this.asked.push(command);
        const [channel, result] = [acceptExec(), answer(command)];
        if (typeof result === "string") channel.write(result);
        else channel.stderr.write("it failed\n");
        channel.exit(typeof result === "string" ? 0 : result);
        channel.end();
      }),
    );
    client.on("tcpip", (accept, _reject, { destIP, destPort }) => {
      this.asked.push(`forward ${destIP}:${destPort}`);
      const [channel, socket] = [accept(), connect(destPort, destIP)];
      socket.on("error", () => channel.destroy());
      channel.pipe(socket).pipe(channel);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
  }
}
