/** Tag of the image that a stack published last. It moves, so it is the one kind of tag that the repository lets change. */
export const LIVE_TAGS = "live-*";

export function liveTag(stack: string): string {
  return `live-${stack}`;
}

/**
 * ECR's lifecycle policy of the image's repository. An image that a rule's tags match is never expired by a later rule
 * (Amazon ECR user guide), so the first rule is what keeps the live images, also one that is old because a change was taken
 * back. Other tags are fingerprints: those beyond the newest `keep`, by the time of their push, go. Manifests without a tag
 * are what an aborted push leaves.
 */
export function lifecyclePolicy(keep: number): string {
  const rule = (description: string, selection: Readonly<Record<string, unknown>>) => ({ description, selection, action: { type: "expire" } });
  const rules = [
    rule("keeps what stacks published last", { tagStatus: "tagged", tagPatternList: [LIVE_TAGS], countType: "imageCountMoreThan", countNumber: 1000 }),
    rule(`keeps the newest ${keep}`, { tagStatus: "tagged", tagPatternList: ["*"], countType: "imageCountMoreThan", countNumber: keep }),
    rule("manifests without a tag, a week after their push", { tagStatus: "untagged", countType: "sinceImagePushed", countUnit: "days", countNumber: 7 }),
  ];
  return JSON.stringify({ rules: rules.map((each, at) => ({ rulePriority: at + 1, ...each })) });
}
