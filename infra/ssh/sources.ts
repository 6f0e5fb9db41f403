/** What a remote host gets of this project: its scripts, and the files that the stack's layers may read. */
import { hash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { create } from "tar";
import type { LayerInputs } from "../input-files.ts";

export interface Sources {
  /** The archive on this machine. */
  readonly file: string;
  /** SHA-256 of its bytes. */
  readonly digest: string;
}

/**
 * Packs them into the file, which is written anew only where its content changes. Equal sources give an equal archive, so a
 * host gets them again only when one of them has changed. `root` is the project's folder.
 */
export function packSources(root: string, inputs: LayerInputs, file: string): Sources {
  const layers = [...new Set([...inputs.values()].flatMap((files) => Object.keys(files)))];
  const scripts = readdirSync(join(root, "infra/hosts"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".sh"));
  const paths = ["layers/layers.json", ...layers.map((path) => `layers/${path}`), ...scripts.map((name) => `infra/hosts/${name}`)];
  const archive = pack(root, paths.sort());
  const digest = hash("sha256", archive, "hex");
  writeIfChanged(file, archive);
  return { file, digest };
}

/** Nothing of this machine is in it: no owners, no times, and of the modes the executable bit alone. */
function pack(root: string, paths: readonly string[]): Buffer {
  const archive = create(
    {
      cwd: root,
      sync: true,
      portable: true,
      noMtime: true,
      onWriteEntry({ stat }) {
        if (stat) stat.mode = stat.mode & 0o100 ? 0o755 : 0o644;
      },
    },
    [...paths],
  );
  return archive.read() as Buffer;
}

/** By a rename: a run of another stack, or a preview, may read the file at this moment. */
function writeIfChanged(file: string, content: Buffer): void {
  const known = lstatSync(file, { throwIfNoEntry: false })?.isFile() ? readFileSync(file) : undefined;
  if (known?.equals(content)) return;
  mkdirSync(dirname(file), { recursive: true });
  const partial = `${file}.${process.pid}`;
  writeFileSync(partial, content);
  renameSync(partial, file);
}
