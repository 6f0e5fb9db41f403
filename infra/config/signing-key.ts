/** Nix's keys for signing what a binary cache holds: `NAME:BASE64`, Ed25519. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";

/** DER of a PKCS #8 Ed25519 private key, up to its 32 bytes (RFC 8410, 7). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** Whether it is a secret key: a name, and the 32 bytes of the seed with the 32 of the public key that belongs to it. */
export function isSigningKey(text: string): boolean {
  const [, base64] = /^[A-Za-z0-9._-]+:([A-Za-z0-9+/]{86}==)$/.exec(text) ?? [];
  if (base64 === undefined) return false;
  const bytes = Buffer.from(base64, "base64");
  return publicOf(bytes.subarray(0, 32)).equals(bytes.subarray(32));
}

/** The public key that verifies what this one signs, as `nix key convert-secret-to-public` gives it. */
export function publicKeyOf(signingKey: string): string {
  const [name = "", base64 = ""] = signingKey.split(":");
  return `${name}:${Buffer.from(base64, "base64").subarray(32).toString("base64")}`;
}

/** A new secret key, as `nix key generate-secret` makes it. */
export function newSigningKey(name: string): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  const seed = privateKey.export({ format: "der", type: "pkcs8" }).subarray(-32);
  return `${name}:${Buffer.concat([seed, publicOf(seed)]).toString("base64")}`;
}

/** By which a program signs as Nix does. */
export function privateKeyOf(signingKey: string): KeyObject {
  return keyOf(Buffer.from(signingKey.split(":")[1] ?? "", "base64").subarray(0, 32));
}

function keyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
}

function publicOf(seed: Uint8Array): Buffer {
  return createPublicKey(keyOf(seed)).export({ format: "der", type: "spki" }).subarray(-32);
}
