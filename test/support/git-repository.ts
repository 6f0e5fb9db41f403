/** Git repositories in a sandbox, as a project's own would be on a server. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Sandbox } from "./sandbox.ts";

export interface GitRepository {
  /** As seen inside. */
  readonly folder: string;
  readonly url: string;
  /** The commit, and the NAR hash of its tree. */
  readonly rev: string;
  readonly hash: string;
}

/** Makes a repository, or another commit of it, with these files and tags; files that end in .sh can be executed. */
export async function gitRepository(sandbox: Sandbox, name: string, files: Readonly<Record<string, string>>, tags: readonly string[] = []): Promise<GitRepository> {
  const folder = `${sandbox.at}/tmp/repositories/${name}`;
  for (const [file, text] of Object.entries(files)) {
    const path = join(sandbox.host(folder), file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode: file.endsWith(".sh") ? 0o755 : 0o644 });
  }
  const script = `
    cd "$1"; shift
    [ -d .git ] || git init --quiet --initial-branch main
    git add --all
    git -c user.name=test -c user.email=test@localhost commit --quiet --allow-empty --message change
    for tag; do git tag "$tag"; done
    git update-server-info
    git rev-parse HEAD
    mkdir ../tree; git --work-tree ../tree checkout --quiet HEAD -- .
    nix hash path ../tree
    rm -r ../tree`;
  const { stdout } = await sandbox.run("bash", ["-euo", "pipefail", "-c", script, "bash", folder, ...tags]);
  const [rev = "", hash = ""] = stdout.split("\n");
  return { folder, url: `file://${encodeURI(folder)}`, rev, hash };
}
