import { PROMOTED_TAG } from "../ops/promotion/history.ts";

/** Tags of the images that stacks published last. */
export const LIVE_TAGS = "live-*";

/** Tags that move, so the only ones that the repository lets change. */
export const MOVING_TAGS: readonly string[] = [LIVE_TAGS, PROMOTED_TAG];

export function liveTag(stack: string): string {
  return `live-${stack}`;
}

/**
 * ECR's lifecycle policy of the image's repository. An image that a rule's tags match is never expired by a later rule
 * (Amazon ECR user guide), so the first rules are what keeps the live images, also one that is old because a change was taken
 * back, and those that were promoted, with their history. Other tags are fingerprints: those beyond the newest `keep`, by the time of their push, go. Manifests without a tag
 * are what an aborted push leaves.
 */
export function lifecyclePolicy(keep: number): string {
  const rule = (description: string, selection: Readonly<Record<string, unknown>>) => ({ description, selection, action: { type: "expire" } });
  const rules = [
    rule("keeps what stacks published last", { tagStatus: "tagged", tagPatternList: [LIVE_TAGS], countType: "imageCountMoreThan", countNumber: 1000 }),
    rule("keeps what was promoted", { tagStatus: "tagged", tagPatternList: [`${PROMOTED_TAG}*`], countType: "imageCountMoreThan", countNumber: 1000 }),
    rule(`keeps the newest ${keep}`, { tagStatus: "tagged", tagPatternList: ["*"], countType: "imageCountMoreThan", countNumber: keep }),
    rule("manifests without a tag, a week after their push", { tagStatus: "untagged", countType: "sinceImagePushed", countUnit: "days", countNumber: 7 }),
  ];
  return JSON.stringify({ rules: rules.map((each, at) => ({ rulePriority: at + 1, ...each })) });
}
