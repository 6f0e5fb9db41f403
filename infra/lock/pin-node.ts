import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isCommit, remoteRefs, type Revision, revisionOf } from "./git-remote.ts";
import type { Repository } from "./git-url.ts";
import { nodeRequirements } from "./node-requirements.ts";
import { type GitFile, nodeEntry, storeName } from "./nodes.ts";
import { pinSource } from "./pin-source.ts";

/** What a person's word for a revision means at the server now. */
export async function askRevision(git: string, name: string): Promise<Revision> {
  return isCommit(name) ? { rev: name } : revisionOf(await remoteRefs(git), name, git);
}

/** Fetches a custom node and reads what it requires. */
export async function pinNode(repository: Repository, revision: Revision, without: readonly string[]): Promise<GitFile> {
  const { hash, path } = await pinSource({ git: repository.git, rev: revision.rev, file: storeName(repository, revision) });
  const files = readdirSync(path).sort();
  const read = (file: string) => (files.includes(file) ? readFileSync(join(path, file), "utf8") : undefined);
  return nodeEntry(repository, revision, { hash, files, requirements: nodeRequirements(read, without) }, without);
}
