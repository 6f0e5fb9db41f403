/** What a stack on AWS costs, by the table of prices: an estimate for a decision, not a bill. */
import type { AwsConfig, Ec2BuildersConfig, Ec2BuildHostConfig, Ec2CacheHostConfig } from "../config/aws.ts";
import type { CacheSecrets } from "../config/cache.ts";
import { builderTypes, buildHostTypes, rootGiB, type System } from "./defaults.ts";
import { instanceType } from "./instance-types.ts";
import { LAYER_METRICS, WORK_METRICS } from "./metrics.ts";
import { HOURS_PER_MONTH, includedIops, includedThroughput, prices, SPOT_PART } from "./prices.ts";

/** USD. A month has 730 hours. */
export interface Cost {
  readonly what: string;
  /** While it runs; 0 for what has no hourly price. */
  readonly perHour: number;
  /** Whether or not it runs. */
  readonly perMonth: number;
  /** `pulumi destroy` leaves it, and it goes on costing this. */
  readonly kept: boolean;
}

export interface Estimate {
  readonly asOf: string;
  readonly region: string;
  readonly costs: readonly Cost[];
  /** With every host running all the time. */
  readonly mostPerMonth: number;
  /** With the build host stopped all the time. */
  readonly leastPerMonth: number;
  /** For an hour of building. */
  readonly perBuildHour: number;
  /** What grows with use, a GiB and month. */
  readonly perGiBMonth: { readonly images?: number; readonly bucket?: number; readonly snapshots?: number };
}

export interface EstimateArgs {
  readonly aws: AwsConfig;
  readonly system: System;
  readonly buildHost?: Ec2BuildHostConfig | undefined;
  readonly builders?: Ec2BuildersConfig | undefined;
  readonly cacheHost?: Ec2CacheHostConfig | undefined;
  /** How many the image has. */
  readonly layers: number;
  /** Whether the images are in a repository of the stack's. */
  readonly images: boolean;
  /** Whether the stack has a bucket for its cache. */
  readonly bucket: boolean;
  /** Those of the stack's for its cache. */
  readonly secrets: CacheSecrets | undefined;
  readonly keep: { readonly cache: boolean };
}

export function estimate({ aws, system, buildHost, builders, cacheHost, layers, images, bucket, secrets, keep }: EstimateArgs): Estimate {
  const build = [...(buildHost === undefined ? [] : buildHostCosts(buildHost, system, keep.cache)), ...(builders === undefined ? [] : builderCosts(builders)), ...(aws.metrics ? metricCosts(buildHost && layers, builders) : [])];
  const cache = cacheHost === undefined ? [] : cacheHostCosts(cacheHost, keep.cache);
  const hosts = Number(buildHost !== undefined) + Number(cacheHost !== undefined);
  const alarms = aws.alarms === undefined ? [] : [monthly("alarms", hosts * (2 * prices.alarmMonth + prices.metricMonth), false)];
  const costs = [...build, ...cache, ...(secrets === undefined ? [] : secretCosts(secrets, keep.cache)), ...alarms];
  const always = sum(costs.map(({ perMonth }) => perMonth)) + sum(cache.map(({ perHour }) => perHour)) * HOURS_PER_MONTH;
  const perBuildHour = sum(build.map(({ perHour }) => perHour));
  return { asOf: prices.asOf, region: prices.region, costs, leastPerMonth: cents(always), mostPerMonth: cents(always + perBuildHour * HOURS_PER_MONTH), perBuildHour: cents(perBuildHour), perGiBMonth: { ...(images && { images: prices.registryGiBMonth }), ...(bucket && { bucket: prices.bucketGiBMonth }), ...(aws.snapshots && { snapshots: prices.snapshotGiBMonth }) } };
}

/** The first of the ranked types. */
function buildHostCosts(config: Ec2BuildHostConfig, system: System, kept: boolean): Cost[] {
  const [type = ""] = buildHostTypes(config, system);
  const { usdPerHour } = instanceType(type);
  const spot = config.market.kind === "spot";
  return [
    { what: `build host, ${type}${spot ? ", spot" : ""}, while it runs`, perHour: cents(spot ? usdPerHour * SPOT_PART : usdPerHour), perMonth: 0, kept: false },
    ...hostCosts("build host", config.volume, rootGiB(config), kept),
  ];
}

/** All of a system's together. */
function builderCosts(config: Ec2BuildersConfig): Cost[] {
  const { count, market, rootGiB } = config;
  return config.systems.flatMap((system) => {
    const [type = ""] = builderTypes(config, system);
    const { usdPerHour } = instanceType(type);
    const spot = market.kind === "spot";
    return [
      { what: `${count} x builder, ${type}${spot ? ", spot" : ""}, while it runs`, perHour: cents(count * (spot ? usdPerHour * SPOT_PART : usdPerHour)), perMonth: 0, kept: false },
      monthly(`${count} x builder, disk of the system, ${rootGiB} GiB`, count * rootGiB * prices.volumeGiBMonth, false),
      monthly(`${count} x builder, address and secret`, count * (prices.addressHour * HOURS_PER_MONTH + prices.secretMonth), false),
    ];
  });
}

/** At most: AWS counts a metric in the hours in which it is sent, and a layer is built in one of them. `layers`: of a build host. */
function metricCosts(layers: number | undefined, builders: Ec2BuildersConfig | undefined): Cost[] {
  const hosts = Number(layers !== undefined) + (builders === undefined ? 0 : builders.count * builders.systems.length);
  const metrics = hosts * WORK_METRICS.length + (layers ?? 0) * LAYER_METRICS.length;
  if (metrics === 0) return [];
  return [{ what: `${metrics} metrics of hosts and layers, while they run`, perHour: cents((metrics * prices.metricMonth) / HOURS_PER_MONTH), perMonth: 0, kept: false }];
}

/** A push key that is lost is made anew; the signing key is worth as much as the cache. */
function secretCosts({ pushKey }: CacheSecrets, kept: boolean): Cost[] {
  return [monthly("cache, secret of its signing key", prices.secretMonth, kept), ...(pushKey === undefined ? [] : [monthly("cache, secret of its push key", prices.secretMonth, false)])];
}

/** GiB of the disk of a cache host's system. */
export const CACHE_ROOT_GIB = 10;

function cacheHostCosts(config: Ec2CacheHostConfig, kept: boolean): Cost[] {
  return [{ what: `cache host, ${config.type}, always`, perHour: cents(instanceType(config.type).usdPerHour), perMonth: 0, kept: false }, ...hostCosts("cache host", config.volume, CACHE_ROOT_GIB, kept)];
}

function hostCosts(host: string, volume: Ec2BuildHostConfig["volume"], root: number, kept: boolean): Cost[] {
  return [
    monthly(`${host}, disk for /nix, ${volume.sizeGiB} GiB`, volumeMonth(volume), kept),
    monthly(`${host}, disk of the system, ${root} GiB`, root * prices.volumeGiBMonth, false),
    monthly(`${host}, address and secret`, prices.addressHour * HOURS_PER_MONTH + prices.secretMonth, false),
  ];
}

export function volumeMonth({ sizeGiB, iops, throughput }: Ec2BuildHostConfig["volume"]): number {
  return sizeGiB * prices.volumeGiBMonth + (iops - includedIops) * prices.volumeIopsMonth + (throughput - includedThroughput) * prices.volumeThroughputMonth;
}

function monthly(what: string, perMonth: number, kept: boolean): Cost {
  return { what, perHour: 0, perMonth: cents(perMonth), kept };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** Ten-thousandths for what is smaller than a cent an hour. */
function cents(usd: number): number {
  return Math.round(usd * 10_000) / 10_000;
}
