import { readFileSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { readHostKey } from "../../ssh/client.ts";
import { fingerprintOf, isKeyLine } from "../../ssh/host-key.ts";
import type { SshHop } from "../../ssh/target.ts";
import type { OpsCommand } from "../command.ts";

interface Options {
  readonly port: number;
  readonly jump?: Pick<SshHop, "user" | "host" | "port">;
  readonly jumpKey?: string;
  readonly identity?: string;
}

export const hostKey: OpsCommand<[string], Options> = {
  name: "host key <host>",
  summary: "the host's SSH key as the configuration wants it, and its fingerprint",
  description: "Compare it with what the host itself says before you trust it: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
  examples: [
    ["host key build.example", "of a host that this machine reaches"],
    ["host key 10.0.0.7 --jump me@gate.example --jump-key 'ssh-ed25519 AAAA…'", "of one behind another, whose own key is known"],
  ],
  options: (command) =>
    command
      .option("--port <port>", "the SSH server's", portOf, 22)
      .option("--jump <login>", "USER@HOST[:PORT] of a host on the way", loginOf)
      .option("--jump-key <key>", "its own key, as `host key` prints it", keyOf)
      .option("--identity <file>", "private key for the login there; else the SSH agent's"),
  async run([host], { port, jump, jumpKey, identity }, { tell }) {
    const hostKey = await readHostKey({ host, port }, jumpOf({ jump, jumpKey, identity }));
    const fingerprint = fingerprintOf(hostKey);
    tell(`${fingerprint}\ncompare it with what the host itself says: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`);
    return { json: { host, port, hostKey, fingerprint }, text: hostKey };
  },
};

function jumpOf({ jump, jumpKey, identity }: { [K in "jump" | "jumpKey" | "identity"]: Options[K] | undefined }): SshHop | undefined {
  if (jump === undefined && (jumpKey !== undefined || identity !== undefined)) throw new InvalidArgumentError("--jump-key and --identity belong to --jump, which is not there");
  if (jump === undefined) return undefined;
  // A key that came through a host that nobody knows would be that host's word.
  if (jumpKey === undefined) throw new InvalidArgumentError("--jump wants the jump host's own key: --jump-key 'TYPE BASE64', as `host key` prints it");
  return { ...jump, hostKey: jumpKey, ...(identity !== undefined && { privateKey: readFileSync(identity, "utf8") }) };
}

function portOf(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new InvalidArgumentError("1 to 65535 is expected");
  return port;
}

function loginOf(text: string): Options["jump"] {
  const [, user, host, port = "22"] = /^([^@\s]+)@([^@\s:]+)(?::(\d+))?$/.exec(text) ?? [];
  if (user === undefined || host === undefined) throw new InvalidArgumentError("USER@HOST or USER@HOST:PORT is expected");
  return { user, host, port: portOf(port) };
}

function keyOf(text: string): string {
  if (!isKeyLine(text)) throw new InvalidArgumentError("'TYPE BASE64' is expected, as `host key` prints it");
  return text;
}
