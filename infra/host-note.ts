/** What a script is told for one run, beside its request: a request is the command's key, and this is to be in no key. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface HostNote {
  /** File name among the host's notes (`notes/` in its state), which no other command has. */
  readonly file: string;
  /** Asked when the command really runs. Undefined: the script is to find none. */
  readonly text: () => string | undefined;
}

/** Leaves it on this machine, in place of the last run's. */
export function leaveHere(state: string, { file, text }: HostNote): void {
  const folder = join(state, "notes");
  const now = text();
  if (now === undefined) return rmSync(join(folder, file), { force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, file), now);
}

/** The line for the login shell of a host that does the same there, and its standard input. */
export function leavingLine(folder: string, { file, text }: HostNote): { readonly line: string; readonly input: string } {
  const notes = `"\${COMFYUI_STATE:-${folder}/.local/host}/notes"`;
  const input = text();
  return input === undefined ? { line: `rm -f ${notes}/${file}`, input: "" } : { line: `mkdir -p ${notes} && cat >${notes}/${file}`, input };
}
