/** What a binary cache says of one store path: the text of a `.narinfo`, and whether a key signed it. */
import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { privateKeyOf } from "../../config/signing-key.ts";

export interface PathInfo {
  /** Name in /nix/store. */
  readonly path: string;
  /** The archive's file, relative to the cache. */
  readonly url: string;
  /** Bytes of that file; of the archive where the cache does not say. */
  readonly fileSize: number;
  /** `sha256:` and Nix's base 32, or SRI. */
  readonly narHash: string;
  readonly narSize: number;
  /** Names in /nix/store. */
  readonly references: readonly string[];
  /** `KEY:BASE64` each. */
  readonly signatures: readonly string[];
  /** What its content was hashed with, where that makes its name: by Nix's rule it then needs no signature. Otherwise empty. */
  readonly ca: string;
}

const STORE = "/nix/store/";

/** Every path's text begins with its `StorePath`. A text without the fields that each has is left out: no client reads it either. */
export function parsePathInfos(text: string): PathInfo[] {
  return text.split(/^(?=StorePath: )/m).flatMap((each) => {
    const fields = new Map<string, string[]>();
    for (const [, key = "", value = ""] of each.matchAll(/^([A-Za-z]+): ?(.*)$/gm)) fields.set(key, [...(fields.get(key) ?? []), value]);
    const one = (key: string) => fields.get(key)?.[0] ?? "";
    const narSize = Number(one("NarSize"));
    if (!one("StorePath").startsWith(STORE) || !/^sha256[:-]/.test(one("NarHash")) || !Number.isInteger(narSize)) return [];
    return [
      {
        path: storeName(one("StorePath")),
        url: one("URL"),
        fileSize: Number(one("FileSize") || narSize),
        narHash: one("NarHash"),
        narSize,
        references: one("References").split(" ").filter(Boolean).map(storeName),
        signatures: fields.get("Sig") ?? [],
        ca: one("CA"),
      },
    ];
  });
}

/** The text of it, as its signatures are. */
export function pathInfoText({ path, url, fileSize, narHash, narSize, references, signatures, ca }: PathInfo): string {
  const fields = [["StorePath", STORE + path], ["URL", url || "nar/none"], ["Compression", "none"], ["FileSize", fileSize], ["NarHash", narHash], ["NarSize", narSize], ["References", references.join(" ")], ...signatures.map((each) => ["Sig", each]), ...(ca === "" ? [] : [["CA", ca]])];
  return fields.map(([key, value]) => `${key}: ${value}\n`).join("");
}

export function storeName(path: string): string {
  return path.startsWith(STORE) ? path.slice(STORE.length) : path;
}

/** What a signature is of. https://github.com/NixOS/nix/blob/master/src/libstore/path-info.cc (`fingerprint`) */
export function signedText({ path, narHash, narSize, references }: PathInfo): string {
  const hash = narHash.startsWith("sha256-") ? `sha256:${base32(Buffer.from(narHash.slice("sha256-".length), "base64"))}` : narHash;
  return `1;${STORE}${path};${hash};${narSize};${[...references].sort().map((name) => STORE + name).join(",")}`;
}

/** Nix's base 32: from the last bits to the first. */
function base32(bytes: Uint8Array): string {
  const digits = "0123456789abcdfghijklmnpqrsvwxyz";
  let text = "";
  for (let n = Math.ceil((bytes.length * 8) / 5) - 1; n >= 0; n--) {
    const [byte, shift] = [(n * 5) >> 3, (n * 5) & 7];
    const pair = (bytes[byte] ?? 0) | ((bytes[byte + 1] ?? 0) << 8);
    text += digits[(pair >> shift) & 31];
  }
  return text;
}

/** `NAME:BASE64`, as the secret key `NAME:BASE64` signs it. */
export function signatureBy(signingKey: string): (info: PathInfo) => string {
  const [name] = signingKey.split(":");
  const key = privateKeyOf(signingKey);
  return (info) => `${name}:${sign(null, Buffer.from(signedText(info)), key).toString("base64")}`;
}

/** DER of an Ed25519 public key, up to its 32 bytes (RFC 8410, 4). */
const SPKI = Buffer.from("302a300506032b6570032100", "hex");

/** Whether one of the keys (`NAME:BASE64`) signed it. */
export function signer(keys: readonly string[]): (info: PathInfo) => boolean {
  const known = new Map<string, KeyObject>(
    keys.map((key) => {
      const [name = "", base64 = ""] = key.split(":");
      return [name, createPublicKey({ key: Buffer.concat([SPKI, Buffer.from(base64, "base64")]), format: "der", type: "spki" })];
    }),
  );
  return (info) =>
    info.signatures.some((signature) => {
      const [name = "", base64 = ""] = signature.split(":");
      const key = known.get(name);
      return key !== undefined && verify(null, Buffer.from(signedText(info)), key, Buffer.from(base64, "base64"));
    });
}
