/** Newer files of what no package index has: how each kind of origin finds out, and why it cannot. */
import { type Origin, originOf } from "./lock-file.ts";
import type { OutsideFile } from "./requirements-file.ts";

type OutsideOrigin = Exclude<Origin, "index">;

/** The newer entry, or a reason why the entry stays as it is. */
export type OutsideUpdate = { readonly file: OutsideFile } | { readonly stays: string };

type Updates = { readonly [O in OutsideOrigin]: (file: Extract<OutsideFile, { [K in O]: unknown }>) => Promise<OutsideUpdate> };

const updates: Updates = {
  url: async () => ({ stays: "at an address of its own, where nobody lists newer files" }),
  git: async () => ({ stays: "a git revision; change rev and hash in requirements.json" }),
  given: async () => ({ stays: "given by hand" }),
};

export async function updateOutside(file: OutsideFile): Promise<OutsideUpdate> {
  const update = updates[originOf(file) as OutsideOrigin] as (file: OutsideFile) => Promise<OutsideUpdate>;
  return update(file);
}
