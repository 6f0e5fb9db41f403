/** Layers without a path between them run side by side: what that gives on two cores, where each keeps one busy. */
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { outputs } from "../support/outputs.ts";
import { up } from "../support/pulumi.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";
import { type Comparison, inTurn, type Part } from "./comparison.ts";

/** Seconds of one core's time. Layers 0 and 1 are one after the other, and as long as layer 2 beside them. */
const WORK = { "layer0-base": 5, "layer1-python": 5, "layer2-wheels": 10, "layer4-deps": 10, "layer5-perf": 10 } as const;
type Attr = keyof typeof WORK;

/** Gives each of these layers one more file, which takes so long to make; `mark` makes it another one. */
function edit(sandbox: Sandbox, mark: string): void {
  for (const [attr, seconds] of Object.entries(WORK)) {
    const folder = join(sandbox.host("layers"), attr);
    if (!existsSync(join(folder, "own.nix"))) renameSync(join(folder, "default.nix"), join(folder, "own.nix"));
    writeFileSync(join(folder, "default.nix"), `tools: let own = import ./own.nix tools; in own // {
  files = (own.files or { }) // { "share/work" = tools.pkgs.runCommand "work" { } "(ulimit -t ${seconds}; while :; do :; done) || echo ${attr} ${mark} >$out"; };
}
`);
  }
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** When each layer's command ran: its record is written at its end, and says how long it took. */
async function spans(sandbox: Sandbox): Promise<ReadonlyMap<string, Span>> {
  const { layers } = await outputs(sandbox);
  const { stdout } = await sandbox.bash("find .local/host/records -name '*.json' -printf '%T@ %p\\n' | sort -n");
  const ends = new Map(stdout.trim().split("\n").map((line) => {
    const [time = "", path = ""] = line.split(" ");
    return [path.split("/").at(-2) as string, Number(time)];
  }));
  return new Map(Object.entries(layers).map(([attr, { seconds }]) => {
    const end = ends.get(attr) as number;
    return [attr, { start: end - seconds, end }];
  }));
}

const wall = (found: ReadonlyMap<string, Span>, attrs: readonly Attr[]) => {
  const chosen = attrs.map((attr) => found.get(attr) as Span);
  return Math.max(...chosen.map(({ end }) => end)) - Math.min(...chosen.map(({ start }) => start));
};
const sum = (found: ReadonlyMap<string, Span>, attrs: readonly Attr[]) => attrs.reduce((total, attr) => total + wall(found, [attr]), 0);

const GROUPS = { "layers 4 and 5": ["layer4-deps", "layer5-perf"], "layer 2 beside 0 and 1": ["layer2-wheels", "layer0-base", "layer1-python"] } as const;

export const parallel: Part = {
  name: "parallel",
  async measure({ quick, say }) {
    say("layers side by side");
    await using sandbox = await warmSandbox();
    const measured = Object.keys(GROUPS).map(() => ({ ours: [] as number[], theirs: [] as number[] }));
    const each = async (side: "ours" | "theirs", round: number, args: readonly string[], figure: typeof wall) => {
      edit(sandbox, `${side}-${round}`);
      await up(sandbox, { args });
      const found = await spans(sandbox);
      Object.values(GROUPS).forEach((attrs, at) => measured[at]?.[side].push(figure(found, attrs)));
      return 0;
    };
    await inTurn(quick ? 1 : 2, (round) => each("ours", round, [], wall), (round) => each("theirs", round, ["--parallel", "1"], sum));
    return {
      comparisons: Object.keys(GROUPS).map((what, at): Comparison => ({
        what: `${what} in parallel`,
        unit: "s",
        ours: { command: "pulumi up: from the start of the first to the end of the last", figures: measured[at]?.ours ?? [] },
        theirs: { command: "pulumi up --parallel 1: the sum of both", figures: measured[at]?.theirs ?? [] },
        goal: { atMost: 0.65 },
        note: "Each layer has a file whose making keeps one core busy for 5 or 10 seconds of its time.",
      })),
    };
  },
};
