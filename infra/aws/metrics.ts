/** What of a stack CloudWatch counts, and who sends it. */
import type { AwsConfig } from "../config/aws.ts";
import type { Role } from "./names.ts";

/** What a host sends, by infra/hosts/aws/watch.sh and infra/hosts/metrics.sh. */
export interface HostMetrics {
  /** DiskUsed, in per cent: what the alarm of a disk looks at. */
  readonly disk: boolean;
  /** IdleMinutes, Sessions and Building of a host that stops by itself; on the build host also each built layer's four. */
  readonly work: boolean;
}

export const LAYER_METRICS = ["Seconds", "Built", "Substituted", "Bytes"] as const;
export const WORK_METRICS = ["IdleMinutes", "Sessions", "Building"] as const;

export function hostMetrics({ alarms, metrics }: Pick<AwsConfig, "alarms" | "metrics">, role: Role): HostMetrics {
  return { disk: alarms !== undefined && !role.startsWith("builder"), work: metrics && role !== "cache-host" };
}

/** Whether a host sends anything at all. */
export function sends({ disk, work }: HostMetrics): boolean {
  return disk || work;
}
