import type { OpsCommand } from "../command.ts";
import { findDrift } from "../drift.ts";
import { openStack, stackOption, type StackOption } from "../stack.ts";

export const drift: OpsCommand<[], StackOption> = {
  name: "drift",
  summary: "what the stack has on record and is there no more: host, store, cache, image; and what mends it",
  description: "Nothing is changed. What mends builds nothing that the cache has.",
  examples: [
    ["drift", "of the selected stack"],
    ["drift --stack prod --json", "for a monitor: exit code 2 where something is wrong"],
  ],
  options: stackOption,
  async run(_args, options, context) {
    const findings = await findDrift(await openStack(options, context));
    const text = findings.map(({ what, problem, mend }) => `${context.style.red(what)}: ${problem}\n  mend: ${mend}`).join("\n");
    return { json: { findings }, text: findings.length === 0 ? "Everything is as the last `pulumi up` left it." : text, found: findings.length > 0 };
  },
};
