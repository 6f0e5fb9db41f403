import { InvalidArgumentError } from "commander";
import { newSigningKey, publicKeyOf } from "../../config/signing-key.ts";
import type { OpsCommand } from "../command.ts";

export const cacheKey: OpsCommand<[string]> = {
  name: "cache key <name>",
  summary: "makes a signing key for a binary cache: the secret half on standard output, the public on standard error",
  description: "NAME is the key's, such as team-1; a later key of the same cache is team-2.",
  examples: [["cache key team-1 | pulumi config set --secret --path comfyui:binaryCache.signingKey", "a key that nobody has seen"]],
  async run([name], _options, { tell }) {
    if (!/^[A-Za-z0-9._-]+$/.test(name)) throw new InvalidArgumentError(`'${name}' is no name of a key: letters, digits and . _ -`);
    const signingKey = newSigningKey(name);
    const publicKey = publicKeyOf(signingKey);
    tell(publicKey);
    return { json: { signingKey, publicKey }, text: signingKey };
  },
};
