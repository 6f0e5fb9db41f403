/** A patch as one commit on a branch of the workflow's own. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { throwFaults } from "../faults.ts";
import { git, gitAnswers } from "./git.ts";
import { outsideOf } from "./update-groups.ts";

export interface Update {
  /** The checkout, with the whole history of what it stands on. Left as it was. */
  readonly root: string;
  readonly branch: string;
  readonly title: string;
  readonly patch: string;
}

/** Who GitHub shows for commits of a workflow. */
const author = { name: "github-actions[bot]", email: "41898282+github-actions[bot]@users.noreply.github.com" };

/**
 * Makes the branch anew from where the checkout stands, and pushes it. A branch with a commit of anybody else is left alone,
 * and one that has this very content is not pushed again, which would have its checks run again.
 */
export function pushUpdate({ root, branch, title, patch }: Update): "pushed" | "up to date" | "a person's" {
  const start = git(root, "rev-parse", "HEAD").trim();
  try {
    commit(root, title, patch);
    const there = git(root, "ls-remote", "origin", `refs/heads/${branch}`).split("\t")[0] ?? "";
    if (there !== "") {
      git(root, "fetch", "--quiet", "origin", `refs/heads/${branch}`);
      const authors = git(root, "log", "--format=%ae", `${start}..${there}`).split("\n").filter((line) => line !== "");
      if (authors.some((email) => email !== author.email)) return "a person's";
      if (gitAnswers(root, "diff", "--quiet", "HEAD", there)) return "up to date";
    }
    git(root, "push", "--quiet", `--force-with-lease=refs/heads/${branch}:${there}`, "origin", `HEAD:refs/heads/${branch}`);
    return "pushed";
  } finally {
    git(root, "reset", "--quiet", "--hard", start);
  }
}

function commit(root: string, title: string, patch: string): void {
  const folder = mkdtempSync(join(tmpdir(), "comfyui-update-"));
  try {
    writeFileSync(join(folder, "patch"), patch);
    git(root, "apply", "--index", "--whitespace=nowarn", join(folder, "patch"));
  } finally {
    rmSync(folder, { recursive: true });
  }
  throwFaults(outsideOf(git(root, "diff", "--cached", "--name-only").split("\n").filter((file) => file !== "")));
  git(root, "-c", `user.name=${author.name}`, "-c", `user.email=${author.email}`, "commit", "--quiet", "--no-verify", "--message", title);
}
