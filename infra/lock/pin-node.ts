import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkedOut } from "./git-checkout.ts";
import { isCommit, remoteRefs, type Revision, revisionOf } from "./git-remote.ts";
import type { Repository } from "./git-url.ts";
import { nodeRequirements } from "./node-requirements.ts";
import { type GitFile, nodeEntry } from "./nodes.ts";

/** What a person's word for a revision means at the server now. */
export async function askRevision(git: string, name: string): Promise<Revision> {
  return isCommit(name) ? { rev: name } : revisionOf(await remoteRefs(git), name, git);
}

/** Fetches a custom node and reads what it requires. */
export async function pinNode(repository: Repository, revision: Revision, without: readonly string[]): Promise<GitFile> {
  return checkedOut(repository.git, revision.rev, ({ folder, hash }) => {
    const files = readdirSync(folder).sort();
    const read = (file: string) => (files.includes(file) ? readFileSync(join(folder, file), "utf8") : undefined);
    return nodeEntry(repository, revision, { hash, files, requirements: nodeRequirements(read, without) }, without);
  });
}
