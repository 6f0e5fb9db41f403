import { humanSize, table } from "../../table.ts";
import type { OpsCommand } from "../command.ts";
import { promote, type Promotion } from "../promotion/promote.ts";
import { dryRunOption, type MovingOptions, movingOption } from "../promotion/options.ts";

interface Options extends MovingOptions {
  readonly from: string;
  readonly to: string;
}

export const promoteImage: OpsCommand<[], Options> = {
  name: "promote",
  summary: "brings the image that one stack published to another stack's registry, and a moving tag to it",
  description: `Nothing is built: the same digest is copied under its own tag, and blobs that the target has are not sent. It runs on the
target's build host, whose login reads the source's registry and writes the target's ('skopeo login'; on ECR its
role, to be named in the source's \`registry.pullFrom\`). The moving tag's history is kept in the target's registry,
as tags TAG-NUMBER-after-NUMBER-IMAGE. \`pulumi preview\` of the target says the same as before: what it publishes is
known by its own sources.`,
  examples: [
    ["promote --from team --to prod", "prod's `stable` is what team published last"],
    ["promote --from team --to prod --dry-run", "what would move"],
  ],
  options: (command) => dryRunOption(movingOption(command.requiredOption("--from <stack>", "the stack that published it").requiredOption("--to <stack>", "the stack whose registry gets it"))),
  async run(_args, { from, to, tag, dryRun = false }, context) {
    const done = await promote({ from, to, moving: tag, dryRun }, context);
    return { json: done, text: textOf(done), found: dryRun && (done.set.length > 0 || done.status === "to be copied") };
  },
};

function textOf({ reference, digest, size, status, sentBytes, moving, set, before, stood, dryRun }: Promotion): string {
  const sent: Record<Promotion["status"], string> = { copied: `copied, ${humanSize(sentBytes)} sent`, "already there": "was there already, nothing sent", "to be copied": "to be copied" };
  const was = before === null ? "new" : `was ${stood?.image ?? before}`;
  const moves = set.length === 0 ? "is this image already" : `${dryRun ? "would move here" : "moved here"}, ${was}`;
  return table([
    ["Image", reference],
    ["Digest", digest],
    ["Size", `${humanSize(size)}, ${sent[status]}`],
    ["Tag", `${moving} ${moves}`],
  ]);
}
