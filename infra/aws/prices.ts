/**
 * What AWS asks for, in USD, us-east-1, without taxes and discounts. A table, not a query: an estimate must not need an
 * account, and a preview must not change because a price did. Instance types have theirs in instance-types.ts.
 */
export const prices = {
  /** The day on which the newest of these figures was read; other regions cost up to a half more. */
  asOf: "2026-07-20",
  region: "us-east-1",
  /** gp3: per GiB and month, provisioned, also while the instance is stopped. */
  volumeGiBMonth: 0.08,
  /** gp3 beyond what every volume has. */
  volumeIopsMonth: 0.005,
  volumeThroughputMonth: 0.04,
  /** Changed blocks only. */
  snapshotGiBMonth: 0.05,
  /** ECR, of the compressed blobs; a blob that images share counts once. */
  registryGiBMonth: 0.1,
  /** S3, standard class. */
  bucketGiBMonth: 0.023,
  /** A public IPv4 address, in use or not. */
  addressHour: 0.005,
  secretMonth: 0.4,
  alarmMonth: 0.1,
  /** A metric of our own. */
  metricMonth: 0.3,
} as const;

/** As AWS counts a month. */
export const HOURS_PER_MONTH = 730;

/** What every gp3 volume has for its price. */
export const includedIops = 3000;
export const includedThroughput = 125;

/** Spot prices move. The estimate takes this part of the price on demand, which is on the safe side of what is usual. */
export const SPOT_PART = 0.5;
