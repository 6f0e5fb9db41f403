/** What `pulumi destroy` leaves, said when it is run: what each costs, and what deletes it too. */
import * as command from "@pulumi/command";
import type * as pulumi from "@pulumi/pulumi";
import { table } from "../table.ts";
import type { Estimate } from "./estimate.ts";
import type { Place } from "./names.ts";
import { prices } from "./prices.ts";

export interface KeptArgs {
  readonly place: Pick<Place, "region" | "stack">;
  readonly estimate: Pick<Estimate, "costs">;
  /** Name of the repository, where its images stay. */
  readonly repository: string | undefined;
  /** Name of the cache's bucket, where it stays. */
  readonly bucket: string | undefined;
  /** Name of the secret of the cache's signing key, where it stays. */
  readonly signingKey: string | undefined;
  /** Whether there are snapshots, which AWS deletes with nothing. */
  readonly snapshots: boolean;
}

const usd = (value: number) => value.toFixed(2);

export function keptText({ place: { region, stack }, estimate, repository, bucket, signingKey, snapshots }: KeptArgs): string {
  const kept = estimate.costs.filter((cost) => cost.kept);
  const rows = [
    ...kept.map(({ what, perMonth }) => [what, usd(perMonth)]),
    ...(repository === undefined ? [] : [[`images in the repository ${repository}`, `${usd(prices.registryGiBMonth)} a GiB`]]),
    ...(bucket === undefined ? [] : [[`the cache in the bucket ${bucket}`, `${prices.bucketGiBMonth} a GiB`]]),
    ...(snapshots ? [["snapshots of the disks", `${usd(prices.snapshotGiBMonth)} a GiB`]] : []),
  ];
  if (rows.length === 0) return "Nothing of this stack stays on AWS.\n";
  const together = kept.length < 2 ? [] : [["these together", usd(kept.reduce((sum, { perMonth }) => sum + perMonth, 0))]];
  const isProtected = kept.length > 0 || repository !== undefined || bucket !== undefined;
  return `${[
    table([["STAYS ON AWS", "USD A MONTH"], ...rows, ...together], [1]),
    ...(isProtected ? ["The next `pulumi up` uses them again."] : []),
    "To delete them too:",
    ...(repository === undefined ? [] : [`  aws ecr delete-repository --region ${region} --repository-name ${repository} --force`]),
    ...(bucket === undefined ? [] : [`  aws s3 rb --region ${region} --force s3://${bucket}`]),
    // Without a word more its name stays taken for the days of its recovery window.
    ...(signingKey === undefined ? [] : [`  aws secretsmanager delete-secret --region ${region} --secret-id ${signingKey} --force-delete-without-recovery`]),
    ...(snapshots ? [`  aws ec2 describe-snapshots --region ${region} --owner-ids self --filters Name=tag:comfyui:stack,Values=${stack} --query 'Snapshots[].SnapshotId' --output text | xargs -rn 1 aws ec2 delete-snapshot --region ${region} --snapshot-id`] : []),
    ...(isProtected ? [`  pulumi state unprotect --all --stack ${stack} && pulumi destroy --stack ${stack}`] : []),
  ].join("\n")}\n`;
}

/**
 * As NAME: nothing as long as the stack lives; destroyed, it says what stays. Nothing depends on it and it depends on nothing, so
 * `pulumi destroy --exclude-protected` destroys it too. A stack always has it: taken out by an `up`, it would say so then.
 */
export function sayWhatStays(name: string, args: KeptArgs): pulumi.Resource {
  // In the folder infra/. Without Node.js the text is at least shown as long as the command runs.
  return new command.local.Command(name, { delete: "node tell.ts || cat >&2", stdin: keptText(args), addPreviousOutputInEnv: false, logging: command.local.Logging.Stderr });
}
