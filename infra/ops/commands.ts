/** What each of the operators' commands does. Standard output is for programs, standard error for the person who reads along. */
import { readFileSync } from "node:fs";
import { newSigningKey, publicKeyOf } from "../config/signing-key.ts";
import { readHostKey } from "../ssh/client.ts";
import { fingerprintOf } from "../ssh/host-key.ts";
import { type Command, helpText } from "./arguments.ts";
import { hostImages, openAccount } from "./aws.ts";
import { readStackConfig, stackBootstrap } from "./stack-bootstrap.ts";

export interface Context {
  /** The project's folder. */
  readonly root: string;
  /** Standard output. */
  readonly print: (text: string) => void;
  /** Standard error. */
  readonly tell: (line: string) => void;
}

type Commands = { readonly [K in Command["kind"]]: (command: Extract<Command, { kind: K }>, context: Context) => Promise<void> };

const commands: Commands = {
  async help(_command, { print }) {
    print(helpText);
  },

  async "host key"({ host, port, jump, json }, { print, tell }) {
    const identity = jump?.identity === undefined ? {} : { privateKey: readFileSync(jump.identity, "utf8") };
    const hostKey = await readHostKey({ host, port }, jump && { ...jump, ...identity });
    const fingerprint = fingerprintOf(hostKey);
    if (json) return print(JSON.stringify({ host, port, hostKey, fingerprint }));
    print(hostKey);
    tell(`${fingerprint}\ncompare it with what the host itself says: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`);
  },

  async "host bootstrap"({ role, number, stack, json }, { root, print, tell }) {
    const { address, text } = await stackBootstrap({ root, role, number, stack, tell });
    if (json) print(JSON.stringify({ role, address, bytes: Buffer.byteLength(text), text }));
    else print(text.trimEnd());
  },

  async "cache key"({ name, json }, { print, tell }) {
    const signingKey = newSigningKey(name);
    const publicKey = publicKeyOf(signingKey);
    if (json) return print(JSON.stringify({ signingKey, publicKey }));
    print(signingKey);
    tell(publicKey);
  },

  async "aws account"({ region, json }, { root, print, tell }) {
    const made = await openAccount(root, region, tell);
    if (json) return print(JSON.stringify(made));
    print(`export PULUMI_BACKEND_URL='${made.backend}'\npulumi stack init STACK --secrets-provider '${made.secretsProvider}'`);
    tell(`account ${made.account}: state in ${made.bucket}`);
  },

  async "aws image"({ stack, json }, { root, print, tell }) {
    const images = await hostImages(root, await readStackConfig(root, stack), tell);
    if (json) return print(JSON.stringify(images));
    for (const { where, parameter, id, user } of images) {
      print(yamlOf(where, id, user));
      tell(parameter === undefined ? `${where}: the configuration names this one` : `${where}: ${parameter} is ${id} now`);
    }
  },
};

function yamlOf(where: string, id: string, user: string): string {
  return [`# in comfyui:${where}`, "ami:", "  kind: id", `  id: ${id}`, `  user: ${user}`].join("\n");
}

export async function runCommand(command: Command, context: Context): Promise<void> {
  await (commands[command.kind] as (command: Command, context: Context) => Promise<void>)(command, context);
}
