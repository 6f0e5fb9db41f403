/** A stack of each type of resource, whose state was written by the official command plugin: test/fixtures/command-state.json. */
import { type Declared, copied, fileAsset, local, remote, secret, stdoutOf } from "./command-stack.ts";

/** No key of anybody's: nothing is dialled with it. */
const KEY = "the private key of nobody\n";
export const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKgn3mqKdJbJ3xJXzVIa0cQ1Cqf0F0rSYm3cZ8Xr5w0G";

/** Where the resources go. The state was made with real hosts, whose ports and keys were replaced by these in its text. */
export interface Place {
  readonly port: number;
  readonly hostKey: string;
  readonly privateKey: string;
}

export const nowhere: Place = { port: 22_022, hostKey: HOST_KEY, privateKey: KEY };

/** `edition`: of the inputs that may change. */
export function everyKind(edition: string, { port, hostKey, privateKey }: Place = nowhere): Readonly<Record<string, Declared>> {
  const hop = { host: "127.0.0.1", port, hostKey };
  const lines = { create: "echo made >> made; cat", update: "echo updated >> made; cat", delete: "echo deleted >> made" };
  const proxied = { ...hop, user: "root", privateKey, dialErrorLimit: 3, proxy: { ...hop, privateKey } };
  return {
    plain: local({ ...lines, stdin: edition, addPreviousOutputInEnv: false, logging: "stderr" }),
    hidden: local(
      { create: secret("cat"), stdin: secret(JSON.stringify({ password: edition })), triggers: [{ "a/b": "1", hidden: secret("t") }, 2] },
      { additionalSecretOutputs: ["stdout"] },
    ),
    waits: local({ create: "cat", stdin: stdoutOf("plain") }),
    idle: local({ delete: "echo idle >> made" }),
    there: remote({ connection: { ...hop, privateKey }, create: "true", stdin: "same", addPreviousOutputInEnv: false }),
    through: remote({ connection: proxied, create: "cat", stdin: secret("same"), triggers: ["x"], logging: "none" }),
    copy: copied({ connection: { ...hop, privateKey }, source: fileAsset("asset.txt"), remotePath: "asset.txt", triggers: ["127.0.0.1", port] }),
  };
}
