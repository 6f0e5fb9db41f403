import { InvalidArgumentError } from "commander";
import { type History, readHistory } from "../builds/runs.ts";
import { historyText } from "../builds/text.ts";
import type { OpsCommand } from "../command.ts";
import { openStack, stackOption, type StackOption } from "../stack.ts";

interface Options extends StackOption {
  readonly last: number;
}

export const builds: OpsCommand<[], Options> = {
  name: "builds",
  summary: "the last runs of each layer and of the image: time, size, growth, and why one failed",
  description: `From the history on the build host, which keeps 200 runs of each. GROWTH is against the run before that came to its end. SIZE is
that of the blobs; layer2-wheels, which is none, has that of its store paths. Exit code 2: the newest run of a layer failed.`,
  examples: [
    ["builds", "the last three of each"],
    ["builds --stack team --last 20 --json", "for a program"],
  ],
  options: (command) => stackOption(command.option("--last <runs>", "how many runs of each layer", countOf, 3)),
  async run(_args, options, context) {
    const { last } = options;
    const stack = await openStack(options, context);
    const history = await readHistory(stack);
    const { style, width } = context;
    return { json: jsonOf(stack.name, history, last), text: historyText(history, { last, style, width }), found: newestFailed(history) };
  },
};

function newestFailed({ runs }: History): boolean {
  return [...runs.values()].some((own) => (own.at(-1)?.outcome ?? "done") !== "done");
}

function jsonOf(stack: string, { runs, running }: History, last: number): object {
  return { stack, runs: Object.fromEntries([...runs].map(([name, own]) => [name, own.slice(-last)])), running };
}

function countOf(text: string): number {
  if (!/^[1-9][0-9]{0,3}$/.test(text)) throw new InvalidArgumentError(`'${text}' is no number of runs: 1 or more`);
  return Number(text);
}
