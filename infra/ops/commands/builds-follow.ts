import { z } from "zod";
import { namesFor, type Run, run } from "../builds/runs.ts";
import { whatHappened } from "../builds/text.ts";
import type { OpsCommand } from "../command.ts";
import { openStack, stackOption, type StackOption } from "../stack.ts";

const answer = z.object({ ended: z.array(z.union([run, z.object({ name: z.string(), log: z.string(), outcome: z.literal("cut-off") })])) });

type Ended = z.output<typeof answer>["ended"][number];

interface Options extends StackOption {
  readonly json?: boolean;
}

export const buildsFollow: OpsCommand<[string | undefined], Options> = {
  name: "builds follow [layer]",
  summary: "shows the logs of what is being built, as they grow",
  description: `LAYER, or image; without it all that is built, until nothing more comes. Ctrl-C ends the view, not the build. With --json the
lines go to standard error. Exit code 2: what was followed did not come to its end.`,
  examples: [
    ["builds follow", "the whole `up`, layer after layer"],
    ["builds follow layer3-pytorch --stack team", "one layer on the build host of a stack"],
  ],
  options: stackOption,
  async run([layer], options, context) {
    const line = options.json ? context.tell : (text: string) => context.show(`${text}\n`);
    const one = layer !== undefined;
    // Its other lines are signs of life.
    const tell = (said: string) => {
      const [, name, text] = /^([a-z0-9-]+)\t(.*)$/.exec(said) ?? [];
      if (name !== undefined) line(one ? `${text}` : `${name}| ${text}`);
    };
    const stack = await openStack(options, { ...context, tell });
    const { ended } = await stack.onBuildHost("ops/follow-build", { names: namesFor(stack, layer) }, answer);
    return { json: { stack: stack.name, ended }, text: ended.map(endText).join("\n") || `Nothing is being built${one ? ` of ${layer}` : ""}.`, found: ended.some(({ outcome }) => outcome !== "done") };
  },
};

function endText(ended: Ended): string {
  if (!("seconds" in ended)) return `${ended.name}: its 'up' is gone; the next one takes what was built (log: ${ended.log})`;
  return `${ended.name}: ${whatHappened(ended satisfies Run)}, ${ended.seconds.toFixed(1)} s${ended.outcome === "done" ? "" : ` (log: ${ended.log})`}`;
}
