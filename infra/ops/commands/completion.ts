import type { Command } from "commander";
import type { Context, OpsCommand } from "../command.ts";
import { completionScript } from "../completion.ts";

/** `program`: the whole command line, this command among it. */
export const completion = (program: (context: Context) => Command): OpsCommand<[]> => ({
  name: "completion",
  summary: "what makes bash and zsh complete these commands, and run them as `ops` in any folder",
  examples: [
    ["completion >/tmp/ops.sh; . /tmp/ops.sh", "for this shell; then: ops cache <TAB>"],
    ["completion >>~/.bashrc", "for every later one (~/.zshrc for zsh)"],
  ],
  async run(_args, _options, context) {
    const script = completionScript(program(context), context.root);
    return { json: { script }, text: script };
  },
});
