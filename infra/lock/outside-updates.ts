/** Newer files of what no package index has: how each kind of origin finds out, and why it cannot. */
import { FaultError } from "../faults.ts";
import { checkedOut } from "./git-checkout.ts";
import { remoteRefs, type Revision } from "./git-remote.ts";
import { repositoryOf } from "./git-url.ts";
import { type Origin, originOf } from "./lock-file.ts";
import { newerRevision } from "./newer-ref.ts";
import { type GitFile, versionOf } from "./nodes.ts";
import { pinNode } from "./pin-node.ts";
import type { OutsideFile } from "./requirements-file.ts";

type OutsideOrigin = Exclude<Origin, "index">;

/** The newer entry, or a reason why the entry stays as it is. */
export type OutsideUpdate = { readonly file: OutsideFile } | { readonly stays: string };

type Updates = { readonly [O in OutsideOrigin]: (file: Extract<OutsideFile, { [K in O]: unknown }>, asked: Asked) => Promise<OutsideUpdate> };

interface Asked {
  /** Of a custom node its repository says what it requires; of everything else that is written by hand. */
  readonly isNode: boolean;
  readonly say: (text: string) => void;
}

const updates: Updates = {
  url: async () => ({ stays: "at an address of its own, where nobody lists newer files" }),
  git: async (file, asked) => (file.ref === undefined ? { stays: "a commit that follows no tag or branch" } : { file: await followed(file, file.ref, asked) }),
  given: async () => ({ stays: "given by hand" }),
};

export async function updateOutside(file: OutsideFile, asked: Asked): Promise<OutsideUpdate> {
  const update = updates[originOf(file) as OutsideOrigin] as (file: OutsideFile, asked: Asked) => Promise<OutsideUpdate>;
  return update(file, asked);
}

/** The entry where its tag or branch leads now; the same object where that is where it is. */
async function followed(file: GitFile, ref: string, { isNode, say }: Asked): Promise<GitFile> {
  const revision = newerRevision(await remoteRefs(file.git), ref);
  if (revision === undefined) throw new FaultError([{ code: "LOCK_GIT_REV", where: file.git, problem: `the repository no longer has the tag or branch of ${file.name}`, found: ref, expected: "a tag or branch that is there" }]);
  if (revision.rev === file.rev && revision.ref === ref) return file;
  say(`fetching ${file.git} at ${revision.ref}`);
  return isNode ? pinNode(repositoryOf(file.git), revision, file.without ?? []) : moved(file, revision);
}

/** What the entry is called follows the revision wherever it said the old one. */
async function moved(file: GitFile, revision: Revision): Promise<GitFile> {
  const version = file.version === versionOf(file) ? versionOf(revision) : file.version;
  const changes = [[file.rev, revision.rev], [file.rev.slice(0, 12), revision.rev.slice(0, 12)], [file.version, version]] as const;
  const name = changes.reduce((text, [from, to]) => text.replaceAll(from, to), file.file);
  return checkedOut(file.git, revision.rev, ({ hash }) => ({ ...file, ...revision, version, file: name, hash }));
}
