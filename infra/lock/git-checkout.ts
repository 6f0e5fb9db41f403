import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canonicalJson } from "../canonical-json.ts";
import { FaultError } from "../faults.ts";
import { protocol } from "../request.ts";
import { narHash } from "./nar.ts";
import { runProgram } from "./run-program.ts";

/** The files of one commit. */
export interface Checkout {
  readonly folder: string;
  /** NAR hash of all of it. */
  readonly hash: string;
  /** When it was committed, in seconds since 1970. */
  readonly committed: number;
}

/** Fetches a commit by the code that set-up fetches locked ones by (infra/hosts/git-tree.sh), for as long as `use` takes. */
export async function checkedOut<T>(git: string, rev: string, use: (checkout: Checkout) => T): Promise<T> {
  const place = mkdtempSync(join(tmpdir(), "comfyui-lock-"));
  try {
    const folder = join(place, "tree");
    const { code, stdout, stderr } = await runProgram("bash", [join(import.meta.dirname, "../hosts/git-checkout.sh")], { input: canonicalJson({ protocol, git, rev, folder }) });
    if (code !== 0) throw new FaultError([{ code: "LOCK_GIT_FETCH", where: git, problem: `${rev.slice(0, 12)} cannot be fetched`, found: stderr.trim().replaceAll(/\n\s*/g, "; ") }]);
    const { committed } = JSON.parse(stdout) as { committed: number };
    return use({ folder, hash: narHash(folder), committed });
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
