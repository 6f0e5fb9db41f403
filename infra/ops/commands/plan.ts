import type { Command } from "commander";
import { FaultError } from "../../faults.ts";
import { anyChange } from "../../preview/changes.ts";
import { changesMarkdown } from "../../preview/markdown.ts";
import { readChanges } from "../../preview/read-changes.ts";
import { changesText } from "../../preview/text.ts";
import type { OpsCommand } from "../command.ts";
import { stackName, stackOption, type StackOption } from "../stack.ts";

interface Options extends StackOption {
  readonly markdown?: boolean;
}

export const plan: OpsCommand<[], Options> = {
  name: "plan",
  summary: "what `pulumi up` would do: which layers run and because of what, how long, what is sent, what else changes",
  description: "Asks the engine's own preview, so it says what `up` then does. Times and sizes are those of the last time; a layer that never ran has none.",
  examples: [
    ["plan", "the selected stack, as a table"],
    ["plan --stack team --markdown", "for a pull request's comment, with a picture of the layers"],
  ],
  options: (command: Command) => {
    stackOption(command);
    command.option("--markdown", "Markdown, as the workflow's comment has it");
  },
  async run(_args, options, context) {
    const stack = await stackName(options, context);
    context.tell(`asking the engine what it would do to ${stack}`);
    const changes = await readChanges(context.root, stack);
    const markdown = options.markdown ? changesMarkdown(changes, `\`pulumi preview\` of stack \`${stack}\``) : undefined;
    if (changes.errors.length > 0) {
      if (markdown !== undefined) context.show(markdown);
      throw new FaultError([{ code: "OPS_PREVIEW", where: `stack ${stack}`, problem: "the engine's preview failed", found: changes.errors.join("\n") }]);
    }
    return { json: changes, text: markdown ?? changesText(changes, context), found: anyChange(changes) };
  },
};
