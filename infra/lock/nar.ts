/** A tree's hash as Nix states it, computed without Nix: SHA-256 of its archive (Nix manual, "Nix Archive (NAR) format"). */
import { createHash, type Hash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** In SRI form. Of files only their bytes count, and whether their owner may execute them. */
export function narHash(path: string): string {
  const hash = createHash("sha256");
  add(hash, "nix-archive-1");
  addNode(hash, path);
  return `sha256-${hash.digest("base64")}`;
}

/** A text or bytes: the length in 8 bytes, then as many zeros as make the rest a multiple of 8. */
function add(hash: Hash, ...items: readonly (string | Uint8Array)[]): void {
  for (const item of items) {
    const bytes = typeof item === "string" ? Buffer.from(item) : item;
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(bytes.length));
    hash.update(length).update(bytes).update(Buffer.alloc((8 - (bytes.length % 8)) % 8));
  }
}

function addNode(hash: Hash, path: string): void {
  const stats = lstatSync(path);
  add(hash, "(", "type");
  if (stats.isSymbolicLink()) {
    add(hash, "symlink", "target", readlinkSync(path, { encoding: "buffer" }));
  } else if (stats.isDirectory()) {
    add(hash, "directory");
    const names = readdirSync(path, { encoding: "buffer" }).sort(Buffer.compare);
    for (const name of names) {
      add(hash, "entry", "(", "name", name, "node");
      addNode(hash, join(path, name.toString()));
      add(hash, ")");
    }
  } else {
    add(hash, "regular", ...((stats.mode & 0o100) === 0 ? [] : ["executable", ""]), "contents", readFileSync(path));
  }
  add(hash, ")");
}
