import { join } from "node:path";
import { canonicalJson } from "../canonical-json.ts";
import { FaultError } from "../faults.ts";
import { protocol } from "../request.ts";
import { runProgram } from "./run-program.ts";

/** One commit of a repository, and the name that its files get in the store. */
export interface Source {
  readonly git: string;
  readonly rev: string;
  readonly file: string;
}

export interface PinnedSource {
  /** NAR hash of the commit's files. */
  readonly hash: string;
  /** Where they are in the store. */
  readonly path: string;
}

/** Fetches a commit by the same code that set-up fetches locked ones by (infra/hosts/pin-git.sh). */
export async function pinSource({ git, rev, file }: Source): Promise<PinnedSource> {
  const script = join(import.meta.dirname, "../hosts/pin-git.sh");
  const { code, stdout, stderr } = await runProgram("bash", [script], { input: canonicalJson({ protocol, git, rev, file }) });
  if (code !== 0) throw new FaultError([{ code: "LOCK_GIT_FETCH", where: git, problem: `${rev.slice(0, 12)} cannot be fetched`, found: stderr.trim().replaceAll(/\n\s*/g, "; ") }]);
  return JSON.parse(stdout) as PinnedSource;
}
