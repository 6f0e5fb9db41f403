import { z } from "zod";
import { namesFor } from "../builds/runs.ts";
import type { OpsCommand } from "../command.ts";
import { openStack, stackOption, type StackOption } from "../stack.ts";

export const buildsStop: OpsCommand<[string | undefined], StackOption> = {
  name: "builds stop [layer]",
  summary: "ends what is being built, also where the `up` that began it is gone",
  description: `LAYER, or image; without it all of the stack's builds. The \`up\` that waits for it fails with LAYER_STOPPED. Finished layers stay,
and so does what is finished of the one that was stopped: the next \`up\` goes on from there.`,
  examples: [["builds stop layer5-perf --stack team", "one layer; those that do not need it go on"]],
  options: stackOption,
  async run([layer], options, context) {
    const stack = await openStack(options, context);
    const { stopped } = await stack.onBuildHost("ops/stop-build", { names: namesFor(stack, layer) }, z.object({ stopped: z.array(z.string()) }));
    return { json: { stack: stack.name, stopped }, text: stopped.map((name) => `${name}: stopped`).join("\n") || `Nothing is being built${layer === undefined ? "" : ` of ${layer}`}.` };
  },
};
