/** Secrets are not shown: neither in what a command says while it runs, nor in the error that it ends with. */
import { bare, type Properties, secretTexts } from "./properties.ts";

/** Shorter texts stand in too many others. The engine has the same limit for the secrets of a stack's configuration. */
const SHORTEST = 3;

export type Hide = (text: string) => string;

/** Puts `[secret]` in the place of each secret among the inputs, and of each line of one. */
export function hiding(inputs: Properties): Hide {
  // All of a connection is a secret in the state; that a message names the host is no harm, the private key is the secret in it.
  const { connection = null, ...others } = inputs;
  const texts = [...secretTexts(others), ...secretTexts(bare(connection))];
  const parts = texts.flatMap((text) => [text, ...text.split("\n")]).map((text) => text.trim());
  // The longest first: one may be a part of another.
  const hidden = [...new Set(parts)].filter((text) => text.length >= SHORTEST).sort((a, b) => b.length - a.length);
  return (text) => hidden.reduce((shown, each) => shown.replaceAll(each, "[secret]"), text);
}
