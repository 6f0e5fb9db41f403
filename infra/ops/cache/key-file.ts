/** The keys of a cache in a stack's file. Every change is one rename: a file that is read is a whole one. Secrets stay encrypted. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Document, isMap, parseDocument } from "yaml";

/** The key that is to come, outside of what the program reads. */
export const NEXT_KEY = "comfyui-ops:nextSigningKey";

const CACHE = ["config", "comfyui:binaryCache"];

/** The key that is to come takes the signing key's place, and its own goes. */
export function switchKey(root: string, stack: string, trusted: readonly string[]): void {
  change(root, stack, (file) => {
    file.setIn([...CACHE, "signingKey"], file.getIn(["config", NEXT_KEY]));
    file.deleteIn(["config", NEXT_KEY]);
    setTrusted(file, trusted);
  });
}

export function trustKeys(root: string, stack: string, trusted: readonly string[]): void {
  change(root, stack, (file) => setTrusted(file, trusted));
}

function setTrusted(file: Document, trusted: readonly string[]): void {
  if (trusted.length === 0) file.deleteIn([...CACHE, "trusted"]);
  else file.setIn([...CACHE, "trusted"], file.createNode([...trusted]));
}

function change(root: string, stack: string, edit: (file: Document) => void): void {
  const path = join(root, `stacks/Pulumi.${stack.split("/").at(-1)}.yaml`);
  const file = parseDocument(readFileSync(path, "utf8"));
  if (!isMap(file.getIn(CACHE))) throw new Error(`${path} has no comfyui:binaryCache`);
  edit(file);
  writeFileSync(`${path}.new`, file.toString({ lineWidth: 0 }));
  renameSync(`${path}.new`, path);
}
