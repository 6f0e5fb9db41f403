/** What a git server has, asked without a copy of the repository. */
import { FaultError } from "../faults.ts";
import { runProgram } from "./run-program.ts";

/** Commits by the names people use: `v1.2` of a tag, `main` of a branch. */
export interface Refs {
  readonly tags: ReadonlyMap<string, string>;
  readonly branches: ReadonlyMap<string, string>;
}

/** A commit, and the tag or branch that names it. */
export interface Revision {
  readonly rev: string;
  readonly ref?: string | undefined;
}

/** Never a question, neither by git nor by ssh. */
const quiet = { GIT_TERMINAL_PROMPT: "0", GIT_ASKPASS: "/bin/false", GIT_SSH_COMMAND: process.env["GIT_SSH_COMMAND"] ?? "ssh -o BatchMode=yes", LC_ALL: "C" };

export async function remoteRefs(url: string): Promise<Refs> {
  const { code, stdout, stderr } = await runProgram("git", ["ls-remote", "--heads", "--tags", "--", url], { env: quiet });
  if (code === 127) throw new FaultError([{ code: "HOST_TOOL_MISSING", where: "npm run lock", problem: "there is no git on PATH", found: stderr, fix: "install git" }]);
  if (code !== 0) throw new FaultError([{ code: "LOCK_GIT_FETCH", where: url, problem: "the repository cannot be asked", found: stderr.trim().split("\n").slice(-3).join(" ") }]);
  return parseRefs(stdout);
}

/** Reads `git ls-remote`. An annotated tag has two lines; the second, marked ^{}, is the commit. */
export function parseRefs(text: string): Refs {
  const found = text.split("\n").flatMap((line) => {
    const [, rev, kind, name, peeled] = /^([0-9a-f]{40})\trefs\/(heads|tags)\/(.+?)(\^\{\})?$/.exec(line) ?? [];
    return rev === undefined || name === undefined ? [] : [{ rev, kind, name, peeled: peeled !== undefined }];
  });
  const named = (kind: string) => new Map(found.filter((each) => each.kind === kind).sort((a, b) => Number(a.peeled) - Number(b.peeled)).map(({ name, rev }) => [name, rev]));
  return { tags: named("tags"), branches: named("heads") };
}

export const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);

/** The commit that a tag or a branch means now; a tag where both have the name, as git has it. Throws where nothing has it. */
export function revisionOf(refs: Refs, name: string, url: string): Revision {
  const rev = refs.tags.get(name) ?? refs.branches.get(name);
  if (rev !== undefined) return { rev, ref: name };
  const known = [...refs.tags.keys()].slice(-5).concat([...refs.branches.keys()].slice(0, 5));
  throw new FaultError([{
    code: "LOCK_GIT_REV",
    where: url,
    problem: /^[0-9a-f]{7,39}$/.test(name) ? "a commit is named by all of its 40 digits, and no tag or branch has this name" : "the repository has no such tag or branch",
    found: name,
    expected: known.join(", ") || "a tag, a branch, or a commit",
  }]);
}
