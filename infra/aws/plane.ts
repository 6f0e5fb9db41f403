/** Everything of a stack that is on AWS. The only file that the program imports of this folder, and only where it is needed. */
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { type AwsConfig, type Ec2BuildersConfig, type Ec2BuildHostConfig, type Ec2CacheHostConfig } from "../config/aws.ts";
import type { Config, StackConfig } from "../config.ts";
import { type Bucket, type BucketPlace, bucketOf, type NixServeConfig } from "../config/cache.ts";
import { CACHE_PRIORITY } from "../bootstrap.ts";
import { Alarms } from "./alarms.ts";
import { CacheBucket } from "./bucket.ts";
import { CacheKeys } from "./cache-keys.ts";
import { cacheSecrets } from "./cache-secrets.ts";
import { StackBudget } from "./budget.ts";
import { builderTypes, buildHostTypes, defaultAmi, rootGiB, type System, systemOf } from "./defaults.ts";
import { ecrLimits } from "./ecr-limits.ts";
import { liveTag } from "./ecr-lifecycle.ts";
import { CACHE_ROOT_GIB, estimate, type Estimate } from "./estimate.ts";
import type { Opening } from "./firewall.ts";
import { Ec2Host } from "./host.ts";
import { instanceSettings } from "./instance-settings.ts";
import { instanceType } from "./instance-types.ts";
import type { Machine } from "../machine.ts";
import { sayWhatStays } from "./kept.ts";
import { hostMetrics } from "./metrics.ts";
import { bucketName, bucketUrls, type Place, registryHost, stackTags } from "./names.ts";
import { Network } from "./network.ts";
import { Registry } from "./registry.ts";
import { settled } from "./settled.ts";
import { Snapshots } from "./snapshots.ts";
import { waker } from "./wake.ts";

export interface OnAws {
  /** The stack's configuration, with the addresses of what was made. */
  readonly config: Config;
  readonly buildHost?: Machine;
  readonly builders?: readonly Machine[];
  readonly cacheHost?: Machine;
  /** What the first use of the cache waits for. */
  readonly cache: readonly pulumi.Resource[];
  /** What a publish waits for. */
  readonly registry: readonly pulumi.Resource[];
  readonly estimate: Estimate;
}

/** Stands for what a first preview cannot know. */
const LATER = "known-once-it-is-made";

interface Made {
  readonly place: Place;
  readonly section: AwsConfig;
  readonly config: StackConfig;
  readonly network: Network;
  readonly options: pulumi.ComponentResourceOptions;
}

export async function openAws(name: string, { config, stack, layers }: { readonly config: StackConfig; readonly stack: string; /** How many the image has. */ readonly layers: number }): Promise<OnAws> {
  const { aws: section } = config;
  if (section === undefined) throw new Error("comfyui:aws was checked by the configuration");
  const place: Place = { accountId: section.accountId, region: section.region, stack };
  const provider = new aws.Provider(`${name}-aws`, { region: place.region, allowedAccountIds: [place.accountId], defaultTags: { tags: { ...section.tags, ...stackTags(place) } } });
  const options = { providers: { aws: provider } };
  const network = new Network(`${name}-network`, { config: section.network, region: place.region }, options);
  const made: Made = { place, section, config, network, options };

  const build = config.buildHost.kind === "ec2" ? makeBuildHost(`${name}-build-host-ec2`, config.buildHost, made) : undefined;
  const builders = config.builders.kind === "ec2" ? makeBuilders(`${name}-builder-ec2`, config.builders, made, build?.host) : [];
  const served = config.binaryCache.kind === "nix-serve" && config.binaryCache.host.kind === "ec2" ? config.binaryCache.host : undefined;
  const cache = served && makeCacheHost(`${name}-binary-cache-ec2`, served, made, build?.host);
  const bucket = makeBucket(`${name}-binary-cache-bucket`, made);
  const secrets = cacheSecrets(place, config);
  const keys = makeCacheKeys(`${name}-binary-cache-keys`, made);
  const registry = makeRegistry(`${name}-registry`, made);
  watchOver(name, made, [build, cache]);
  const costs = estimate({ aws: section, system: config.systems[0] as System, buildHost: config.buildHost.kind === "ec2" ? config.buildHost : undefined, builders: config.builders.kind === "ec2" ? config.builders : undefined, cacheHost: served, layers, images: config.registry.kind === "ecr", bucket: ownBucket(made) !== undefined, secrets, keep: { cache: config.destroy.cache === "keep" } });
  sayWhatStays(`${name}-kept`, { place, estimate: costs, repository: config.registry.kind === "ecr" && config.destroy.image === "keep" ? config.registry.name : undefined, bucket: config.destroy.cache === "keep" ? ownBucket(made) : undefined, signingKey: config.destroy.cache === "keep" ? secrets?.signingKey : undefined, snapshots: section.snapshots !== undefined });
  return {
    config: { ...config, buildHost: await buildHostConfig(made, build), builders: await buildersConfig(made, builders), binaryCache: await cacheConfig(made, cache), registry: registryConfig(made) },
    ...(build && { buildHost: { ...build.machine, wake: wakeAll(build, builders) }, builders: builders.map(({ machine }) => machine) }),
    ...(cache && { cacheHost: cache.machine }),
    cache: [...bucket, ...keys],
    registry,
    estimate: costs,
  };
}

interface MadeHost {
  readonly host: Ec2Host;
  readonly machine: Machine;
  readonly admin: "admin" | "ubuntu";
}

function makeBuildHost(name: string, own: Ec2BuildHostConfig, made: Made): MadeHost {
  const { place, section, config, network, options } = made;
  const bucket = ownBucket(made);
  const system = config.systems[0] as System;
  const types = buildHostTypes(own, system);
  const ami = own.ami ?? defaultAmi(system, own.gpu);
  const repository = config.registry.kind === "ecr" ? config.registry.name : undefined;
  const openings = section.sshFrom.map((cidr): Opening => ({ what: "ssh", port: 22, cidr }));
  const host = new Ec2Host(
    name,
    { place, role: "build-host", config: section, network, openings, types, market: own.market, ami, rootGiB: rootGiB(own), volume: own.volume, keepVolume: config.destroy.cache === "keep", repository, bucket, collects: config.binaryCache.kind === "s3", secrets: cacheSecrets(place, config) },
    options,
  );
  const docker = config.verify.kind === "container" && config.verify.docker.kind === "build-host" ? ami.user : undefined;
  const login = repository === undefined ? null : registryHost(place);
  const settings = instanceSettings({ place, role: "build-host", metrics: hostMetrics(section, "build-host"), registry: login, idleMinutes: own.idleMinutes, gpu: own.gpu, sessions: section.sessions, docker });
  return { host, admin: ami.user, machine: machineOf(host, { place, types, settings }) };
}

function makeCacheHost(name: string, own: Ec2CacheHostConfig, { place, section, config, network, options }: Made, builder: Ec2Host | undefined): MadeHost {
  const ami = own.ami ?? defaultAmi(systemOf(own.type), false);
  const host = new Ec2Host(
    name,
    {
      place,
      role: "cache-host",
      config: section,
      network,
      openings: cacheOpenings(section, network, config.binaryCache as ServedCache, builder),
      types: [own.type],
      market: { kind: "on-demand" },
      ami,
      rootGiB: CACHE_ROOT_GIB,
      volume: own.volume,
      keepVolume: config.destroy.cache === "keep",
    },
    options,
  );
  const { domain } = config.binaryCache as ServedCache;
  if (own.hostedZone !== undefined && domain !== undefined) {
    const zone = aws.route53.getZoneOutput({ name: own.hostedZone }, { parent: host });
    new aws.route53.Record(`${name}-name`, { zoneId: zone.zoneId, name: domain, type: "A", ttl: 60, records: [host.address] }, { parent: host });
  }
  const settings = instanceSettings({ place, role: "cache-host", metrics: hostMetrics(section, "cache-host"), registry: null, idleMinutes: 0, gpu: false, sessions: section.sessions });
  return { host, admin: ami.user, machine: machineOf(host, { place, types: [own.type], settings }) };
}

interface MadeBuilder extends MadeHost {
  readonly system: System;
  /** The best of its types, which says how much it does at a time. */
  readonly type: string;
}

/** Numbered through all systems: a further machine of the first one renames those of the second, which have nothing to lose. */
function makeBuilders(name: string, own: Ec2BuildersConfig, { place, section, network, options }: Made, buildHost: Ec2Host | undefined): MadeBuilder[] {
  const wanted = own.systems.flatMap((system) => Array.from({ length: own.count }, () => system));
  return wanted.map((system, at) => {
    const role = `builder-${at + 1}` as const;
    const types = builderTypes(own, system);
    const ami = defaultAmi(system, false);
    const openings = [...section.sshFrom.map((cidr): Opening => ({ what: "ssh", port: 22, cidr })), ...(buildHost ? [{ what: "build", port: 22, group: buildHost.groupId }] : [])];
    const host = new Ec2Host(`${name}-${at + 1}`, { place, role, config: section, network, openings, types, market: own.market, ami, rootGiB: own.rootGiB, keepVolume: false }, options);
    const settings = instanceSettings({ place, role, metrics: hostMetrics(section, role), registry: null, idleMinutes: own.idleMinutes, gpu: false, sessions: section.sessions });
    return { host, admin: ami.user, machine: machineOf(host, { place, types, settings }), system, type: types[0] as string };
  });
}

/** With the build host, those that it hands derivations to. One that does not come up is told of: Nix builds on the others, or itself. */
function wakeAll(build: MadeHost, builders: readonly MadeBuilder[]): () => Promise<void> {
  const wakeBuilder = ({ machine }: MadeBuilder) => machine.wake().catch((error: Error) => pulumi.log.warn(`a builder is left out: ${error.message}`));
  return async () => {
    await Promise.all([build.machine.wake(), ...builders.map(wakeBuilder)]);
  };
}

type ServedCache = Extract<StackConfig["binaryCache"], { kind: "nix-serve" }>;

function cacheOpenings(section: AwsConfig, network: Network, { domain, url }: ServedCache, builder: Ec2Host | undefined): Opening[] {
  const port = domain !== undefined ? 443 : Number((url === undefined ? "" : new URL(url).port) || 80);
  return [
    ...section.sshFrom.map((cidr): Opening => ({ what: "ssh", port: 22, cidr })),
    ...(builder === undefined ? [] : [{ what: "push", port: 22, group: builder.groupId }]),
    ...[network.cidr, ...section.cacheFrom].map((cidr): Opening => ({ what: "read", port, cidr })),
    // Where a certificate's issuer looks; Caddy answers nothing else there but where to go.
    ...(domain === undefined ? [] : [{ what: "certificate", port: 80, cidr: "0.0.0.0/0" }]),
  ];
}

function machineOf(host: Ec2Host, { place, types, settings }: { place: Place; types: readonly string[]; settings: Machine["settings"] }): Machine {
  return { instance: host.instance, ready: host.ready, settings, wake: waker({ region: place.region, instanceId: host.instance.id, types }) };
}

/** The name of the bucket that the stack makes for its cache, if any. */
function ownBucket({ place, config }: Pick<Made, "place" | "config">): string | undefined {
  const own = bucketOf<BucketPlace>(config.binaryCache)?.bucket;
  return own && (own.name ?? bucketName(place));
}

function makeBucket(name: string, made: Made): readonly pulumi.Resource[] {
  const { place, config, network, options } = made;
  const bucket = ownBucket(made);
  if (bucket === undefined) return [];
  return new CacheBucket(name, { place, bucket, vpcId: network.vpcId, keep: config.destroy.cache === "keep" }, options).ready;
}

function makeCacheKeys(name: string, { place, config, options }: Made): readonly pulumi.Resource[] {
  const { binaryCache, destroy } = config;
  const secrets = cacheSecrets(place, config);
  if (secrets === undefined || binaryCache.kind === "directory") return [];
  return new CacheKeys(name, { secrets, signingKey: binaryCache.signingKey, keep: destroy.cache === "keep" }, options).ready;
}

function makeRegistry(name: string, { config: { registry, destroy }, options }: Made): readonly pulumi.Resource[] {
  if (registry.kind !== "ecr") return [];
  return new Registry(name, { config: registry, keep: destroy.image === "keep" }, options).ready;
}

function watchOver(name: string, { place, section, options }: Made, made: readonly (MadeHost | undefined)[]): void {
  const roles = ["build-host", "cache-host"] as const;
  const hosts = made.flatMap((each, at) => (each === undefined ? [] : [{ role: roles[at] as (typeof roles)[number], instanceId: each.host.instance.id }]));
  if (section.alarms !== undefined && hosts.length > 0) new Alarms(`${name}-alarms`, { place, email: section.alarms.email, hosts }, options);
  if (section.budget !== undefined) new StackBudget(`${name}-budget`, { place, ...section.budget }, options);
  if (section.snapshots !== undefined && hosts.length > 0) new Snapshots(`${name}-snapshots`, { place, keep: section.snapshots.keep, permissionsBoundary: section.permissionsBoundary }, options);
}

/** A host of ours as the configuration of one that was there already. */
async function addressOf({ section }: Made, { host, admin }: MadeHost, name: pulumi.Output<string>) {
  const [address = LATER, hostKey = LATER, volume = LATER] = await Promise.all([settled(name), settled(host.hostKey), host.device && settled(host.device)]);
  return { host: address, port: 22, hostKey, admin, ...(host.device && { volume }), ...(section.login.privateKey !== undefined && { privateKey: section.login.privateKey }) };
}

async function buildHostConfig(made: Made, host: MadeHost | undefined): Promise<Config["buildHost"]> {
  const { buildHost } = made.config;
  if (buildHost.kind !== "ec2" || host === undefined) return buildHost as Config["buildHost"];
  const { minFreeGiB, maxFreeGiB } = buildHost;
  return { kind: "ssh", ...(await addressOf(made, host, host.host.address)), user: "comfyui", minFreeGiB, maxFreeGiB };
}

async function buildersConfig(made: Made, hosts: readonly MadeBuilder[]): Promise<Config["builders"]> {
  const { builders } = made.config;
  if (builders.kind !== "ec2") return builders;
  const all = hosts.map(async (each) => {
    const { volume: _, ...address } = await addressOf(made, each, each.host.dnsName);
    // So many CPUs for a derivation; more of them at a time wait for each other's memory.
    const maxJobs = Math.max(1, Math.floor(instanceType(each.type).vcpus / 8));
    return { ...address, systems: [each.system], maxJobs, speedFactor: 1, features: ["big-parallel"] };
  });
  return { kind: "ssh", hosts: await Promise.all(all) };
}

async function cacheConfig(made: Made, host: MadeHost | undefined): Promise<Config["binaryCache"]> {
  const { binaryCache } = made.config;
  if (binaryCache.kind === "directory") return binaryCache;
  const secrets = cacheSecrets(made.place, made.config);
  if (binaryCache.kind === "s3") return { ...binaryCache, secrets, ...bucketAddress(made, binaryCache, CACHE_PRIORITY) };
  const { mirror, host: machine } = binaryCache;
  const address = host === undefined ? (machine as NixServeConfig["host"]) : await addressOf(made, host, host.host.dnsName);
  return { ...binaryCache, secrets, host: address, mirror: mirror && bucketAddress(made, mirror, CACHE_PRIORITY + 10) };
}

function bucketAddress(made: Made, { url, nixPath }: BucketPlace, priority: number): Bucket {
  const bucket = ownBucket(made);
  return { nixPath, ...(bucket === undefined ? { url: url as string } : bucketUrls(made.place, bucket, priority)) };
}

function registryConfig({ place, config: { registry } }: Made): Config["registry"] {
  if (registry.kind !== "ecr") return registry;
  return { kind: "registry", repository: `${registryHost(place)}/${registry.name}`, tls: true, liveTag: liveTag(place.stack), limits: ecrLimits };
}
