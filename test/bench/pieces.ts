/** A run that changes nothing, with this project's stand-ins for two of Pulumi's pieces and with Pulumi's own. */
import { join } from "node:path";
import { OFFICIAL_PIECES, ownPieces, standInPieces } from "../support/pulumi-pieces.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";
import { inTurn, type Part } from "./comparison.ts";

const UP = ["up", "--yes", "--skip-preview", "--non-interactive", "--color", "never"];

type Environment = Readonly<Record<string, string>>;

/** Seconds of one run, which must have found nothing to do: state of the one side is state of the other. */
async function noOp(sandbox: Sandbox, pieces: Environment): Promise<number> {
  const { stdout, seconds } = await sandbox.run("pulumi", UP, { env: { ...pieces, PATH: `${pieces["PATH"]}:${sandbox.env["PATH"]}` } });
  if (!/\nResources:\n +\d+ unchanged\n/.test(stdout)) throw new Error(`this run was to change nothing:\n${stdout}`);
  return seconds;
}

export const pieces: Part = {
  name: "pieces",
  async measure({ runs, say }) {
    if (OFFICIAL_PIECES === undefined) return { notRun: "`pieces`: COMFYUI_OFFICIAL_PIECES names no folder with Pulumi's own language host and command plugin" };
    await using sandbox = await warmSandbox();
    const where = (name: string) => ({ folder: sandbox.host(join(sandbox.at, name)), at: join(sandbox.at, name) });
    const sides = { ours: standInPieces(sandbox.root, where("stand-ins")), theirs: ownPieces(OFFICIAL_PIECES, where("own")) };
    // What Node compiles it keeps from the first run on.
    for (const side of [sides.theirs, sides.ours]) await noOp(sandbox, side);
    say("no-op up");
    const { ours, theirs } = await inTurn(runs * 2, () => noOp(sandbox, sides.ours), () => noOp(sandbox, sides.theirs));
    return {
      comparisons: [
        {
          what: "no-op `pulumi up` with the stand-ins",
          unit: "s",
          ours: { command: `pulumi ${UP.join(" ")}, with this project's stand-ins`, figures: ours },
          theirs: { command: "the same with Pulumi's own language host and command plugin", figures: theirs },
          goal: { atMost: 1.25 },
        },
      ],
    };
  },
};
