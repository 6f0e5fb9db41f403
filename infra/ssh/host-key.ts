import { hash } from "node:crypto";
import ssh2, { type ServerHostKeyAlgorithm } from "ssh2";

const signatures: Readonly<Record<string, readonly ServerHostKeyAlgorithm[]>> = {
  "ssh-ed25519": ["ssh-ed25519"],
  "ecdsa-sha2-nistp256": ["ecdsa-sha2-nistp256"],
  "ecdsa-sha2-nistp384": ["ecdsa-sha2-nistp384"],
  "ecdsa-sha2-nistp521": ["ecdsa-sha2-nistp521"],
  "ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256"],
};

/** The types of host keys that can be pinned, the best first. */
export const hostKeyTypes: readonly string[] = Object.keys(signatures);

/** `TYPE BASE64` of a public key in SSH's own form (RFC 4253, 6.6), which begins with its type. */
export function keyLine(blob: Buffer): string {
  return `${blob.toString("utf8", 4, 4 + blob.readUInt32BE(0))} ${blob.toString("base64")}`;
}

/** Whether the text is the line of a public key of a known type. */
export function isKeyLine(line: string): boolean {
  const [type = "", base64 = "", ...more] = line.split(" ");
  const blob = Buffer.from(base64, "base64");
  return more.length === 0 && hostKeyTypes.includes(type) && blob.length > 4 + type.length && keyLine(blob) === line;
}

/** As `ssh-keygen -lf` and ssh itself write it. */
export function fingerprintOf(line: string): string {
  const [type = "", base64 = ""] = line.split(" ");
  return `SHA256:${hash("sha256", Buffer.from(base64, "base64"), "base64").replace(/=+$/, "")} (${type})`;
}

/**
 * What to ask a server for: its key of the pinned type, and only where it has none another one, so that a message can name it.
 */
export function preferredAlgorithms(line: string): ServerHostKeyAlgorithm[] {
  const [type = ""] = line.split(" ");
  return [...(signatures[type] ?? []), ...Object.entries(signatures).flatMap(([other, names]) => (other === type ? [] : names))];
}

/** The public half of a private key. */
export function publicLineOf(privateKey: string): string {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  return keyLine(parsed.getPublicSSH());
}
