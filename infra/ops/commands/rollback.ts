import { table } from "../../table.ts";
import type { OpsCommand } from "../command.ts";
import { dryRunOption, type MovingOptions, movingOption } from "../promotion/options.ts";
import { rollback, type Rollback } from "../promotion/rollback.ts";
import { stackName, stackOption, type StackOption } from "../stack.ts";

interface Options extends MovingOptions, StackOption {
  readonly to?: string;
}

export const rollbackImage: OpsCommand<[], Options> = {
  name: "rollback",
  summary: "takes a moving tag back to the image before, or to one that is named",
  description: `No image is lost: the tag can go forward again by --to. Each run goes one promotion further back; --to comes to the
same place however often it is run. It runs on the stack's build host, whose login writes the registry.`,
  examples: [
    ["rollback --stack prod", "prod's `stable` is the image before"],
    ["rollback --stack prod --to 8729bf4d1e83", "this one"],
    ["rollback --stack prod --dry-run", "the promotions, and where it would go"],
  ],
  options: (command) => {
    stackOption(command);
    dryRunOption(movingOption(command.option("--to <tag>", "a tag of the stack's registry; default: of the promotion before")));
  },
  async run(_args, options, context) {
    const { to, tag, dryRun = false } = options;
    const done = await rollback({ stack: await stackName(options, context), moving: tag, to, dryRun }, context);
    return { json: done, text: textOf(done), found: dryRun && done.set.length > 0 };
  },
};

function textOf({ repository, moving, before, to, set, history, dryRun }: Rollback): string {
  const rows = history.map(({ number, image, after, stood }) => [String(number), image, after === undefined ? "-" : String(after), stood ? (set.length === 0 ? "stands here" : "stood here") : ""]);
  const moved = set.length === 0 ? `${moving} is ${to} already` : `${moving} ${dryRun ? "would go" : "went"} from ${history.find(({ stood }) => stood)?.image ?? before} to ${to}`;
  return `${repository}\n${moved}\n\n${table([["NO.", "IMAGE", "AFTER", ""], ...rows], [0, 2])}`;
}
