/** What no single value of the AWS sections shows. */
import { buildHostTypes, leastStoreGiB, namesOtherSystem, type System } from "../aws/defaults.ts";
import { instanceType, instanceTypes, LEAST_CAPABILITY } from "../aws/instance-types.ts";
import type { Fault } from "../faults.ts";
import type { AwsConfig, Ec2BuildersConfig, Ec2BuildHostConfig, Ec2CacheHostConfig } from "./aws.ts";

/** The parts of a stack that are on AWS; what is not there is elsewhere, or wrong by itself. */
export interface AwsParts {
  readonly aws: AwsConfig | undefined;
  /** Whether comfyui:aws is given, right or wrong. */
  readonly given: boolean;
  readonly flavor: string | undefined;
  readonly system: System | undefined;
  readonly buildHost: Ec2BuildHostConfig | undefined;
  readonly builders: Ec2BuildersConfig | undefined;
  readonly cacheHost: Ec2CacheHostConfig | undefined;
  readonly domain: string | undefined;
  /** The path of a bucket that the stack makes. */
  readonly bucket: string | undefined;
  /** The kind of the build host. */
  readonly builtOn: string | undefined;
  /** Where something of the stack is asked for on AWS: the paths of those values. */
  readonly users: readonly string[];
}

export function awsFaults(parts: AwsParts): Fault[] {
  return [...sectionFaults(parts), ...worldFaults(parts), ...ownFaults(parts), ...buildHostFaults(parts), ...builderFaults(parts), ...cacheHostFaults(parts), ...domainFaults(parts), ...bucketFaults(parts)];
}

function sectionFaults({ given, users }: AwsParts): Fault[] {
  if (given && users.length === 0) return [{ code: "AWS_SECTION_UNUSED", where: "comfyui:aws", problem: "nothing of this stack is on AWS", expected: "a build host, a cache or a registry there" }];
  if (given || users.length === 0) return [];
  return [{ code: "AWS_SECTION_MISSING", where: "comfyui:aws", problem: "where on AWS it is to be made is not said", found: `nothing, and ${users.join(", ")}`, expected: "accountId, region, sshFrom and login" }];
}

function worldFaults({ aws }: AwsParts): Fault[] {
  if (aws === undefined || aws.openToWorld) return [];
  const lists = { sshFrom: aws.sshFrom, cacheFrom: aws.cacheFrom };
  return Object.entries(lists).flatMap(([name, list]) =>
    list.flatMap((cidr, at) =>
      cidr.endsWith("/0") ? [{ code: "AWS_WORLD_OPEN" as const, where: `comfyui:aws.${name}[${at}]`, problem: "the whole world could reach this port", found: cidr, expected: "the addresses that you come from, such as 203.0.113.7/32" }] : [],
    ),
  );
}

/** Tags by which the scripts find what belongs to a stack. */
const RESERVED_TAG = /^(comfyui:|Name$)/;

/** What AWS takes as the key of a tag. */
const TAG = /^(?!aws:)[\w +=.:/@-]{1,128}$/i;

function ownFaults({ aws }: AwsParts): Fault[] {
  if (aws === undefined) return [];
  const keys = Object.keys(aws.tags);
  const [, owner] = /^arn:[a-z-]+:iam::(\d{12}):/.exec(aws.permissionsBoundary ?? "") ?? [];
  const zones = aws.network.kind === "new" ? aws.network.zones : aws.network.subnets.map(({ zone }) => zone);
  const zonesAt = aws.network.kind === "new" ? "zones" : "subnets";
  return [
    ...keys.filter((key) => !TAG.test(key)).map((key): Fault => ({ code: "AWS_TAG", where: `comfyui:aws.tags.${key}`, problem: "AWS takes no such tag", found: key, expected: "1 to 128 letters, digits, spaces and + - = . _ : / @, not beginning with aws:" })),
    ...keys.filter((key) => RESERVED_TAG.test(key)).map((key): Fault => ({ code: "AWS_TAG_RESERVED", where: `comfyui:aws.tags.${key}`, problem: "the program sets this tag itself", found: key })),
    ...(owner === undefined || owner === aws.accountId ? [] : [{ code: "AWS_BOUNDARY_ACCOUNT" as const, where: "comfyui:aws.permissionsBoundary", problem: "a role's boundary lies in the role's own account", found: owner, expected: aws.accountId }]),
    ...zones.flatMap((zone, at): Fault[] => (zones.indexOf(zone) < at ? [{ code: "CONFIG_DUPLICATE", where: `comfyui:aws.network.${zonesAt}[${at}]`, problem: "this zone is listed twice", found: zone }] : [])),
  ];
}

function buildHostFaults({ buildHost, system, flavor }: AwsParts): Fault[] {
  if (buildHost === undefined || system === undefined) return [];
  const types = buildHostTypes(buildHost, system);
  const where = "comfyui:buildHost";
  const least = leastStoreGiB[flavor ?? ""] ?? 0;
  return [
    ...types.flatMap((type, at) => typeFaults(type, `${where}.types[${at}]`, { system, gpu: buildHost.gpu })),
    ...types.flatMap((type, at): Fault[] => (types.indexOf(type) < at ? [{ code: "CONFIG_DUPLICATE", where: `${where}.types[${at}]`, problem: "this type is listed twice", found: type }] : [])),
    ...amiFaults(buildHost.ami, `${where}.ami.name`, system),
    ...volumeFaults(buildHost.volume, `${where}.volume`),
    ...(buildHost.volume.sizeGiB >= least ? [] : [{ code: "AWS_VOLUME_SMALL" as const, where: `${where}.volume.sizeGiB`, problem: `the flavor ${flavor} does not fit`, found: `${buildHost.volume.sizeGiB}`, expected: `at least ${least}` }]),
    ...spotFaults(buildHost, types, where),
  ];
}

function builderFaults({ builders, buildHost }: AwsParts): Fault[] {
  if (builders === undefined) return [];
  const { systems, types = [], market } = builders;
  const where = "comfyui:builders";
  const without = types.length === 0 ? [] : systems.filter((system) => !types.some((type) => instanceTypes.get(type)?.system === system));
  return [
    ...(buildHost === undefined ? [{ code: "AWS_BUILDERS_HOST" as const, where: `${where}.kind`, problem: "machines on EC2 are woken with a build host on EC2, and let in nobody else", found: "another build host", expected: "buildHost.kind: ec2, or builders.kind: ssh" }] : []),
    ...systems.flatMap((system, at): Fault[] => (systems.indexOf(system) < at ? [{ code: "CONFIG_DUPLICATE", where: `${where}.systems[${at}]`, problem: "this system is listed twice; count says how many machines it has", found: system }] : [])),
    ...without.map((system): Fault => ({ code: "AWS_TYPE_SYSTEM", where: `${where}.types`, problem: "no instance type is of this system", found: types.join(", "), expected: system })),
    ...types.flatMap((type, at) => {
      const system = instanceTypes.get(type)?.system;
      return system === undefined ? [] : typeFaults(type, `${where}.types[${at}]`, { system, gpu: false });
    }),
    ...spotFaults({ market }, types, where),
  ];
}

function cacheHostFaults({ cacheHost }: AwsParts): Fault[] {
  if (cacheHost === undefined) return [];
  const system = instanceTypes.get(cacheHost.type)?.system;
  if (system === undefined) return [];
  const where = "comfyui:binaryCache.host";
  return [...typeFaults(cacheHost.type, `${where}.type`, { system, gpu: false }), ...amiFaults(cacheHost.ami, `${where}.ami.name`, system), ...volumeFaults(cacheHost.volume, `${where}.volume`)];
}

function typeFaults(type: string, where: string, { system, gpu }: { readonly system: System; readonly gpu: boolean }): Fault[] {
  const known = instanceTypes.get(type);
  if (known === undefined) return [];
  const faults: Fault[] = [];
  if (known.system !== system) faults.push({ code: "AWS_TYPE_SYSTEM", where, problem: "this instance type has another architecture than the image", found: `${type} is ${known.system}`, expected: system });
  const usable = known.gpu !== undefined && known.gpu.count >= 1 && known.gpu.capability >= LEAST_CAPABILITY;
  const found = known.gpu === undefined ? `${type} has none` : `${type} has ${known.gpu.count === 0 ? "a part of" : known.gpu.count} ${known.gpu.name}`;
  if (gpu && !usable) faults.push({ code: "AWS_TYPE_GPU", where, problem: "a GPU is asked for that the public driver images serve", found, expected: "a type with one or more whole GPUs, such as g6.xlarge" });
  if (!gpu && known.gpu !== undefined) faults.push({ code: "AWS_TYPE_GPU_UNUSED", where, problem: "this host would have a GPU that nothing uses", found, expected: "a type without GPU, or gpu: true on a build host" });
  return faults;
}

function amiFaults(ami: Ec2BuildHostConfig["ami"], where: string, system: System): Fault[] {
  if (ami?.kind !== "parameter" || !namesOtherSystem(ami.name, system)) return [];
  return [{ code: "AWS_AMI_SYSTEM", where, problem: "this image is for another architecture than the host's", found: ami.name, expected: system }];
}

function volumeFaults({ sizeGiB, iops, throughput }: Ec2BuildHostConfig["volume"], where: string): Fault[] {
  const most = Math.max(3000, sizeGiB * 500);
  if (iops > most) return [{ code: "AWS_VOLUME_RATE", where: `${where}.iops`, problem: "a disk of this size has no such rate", found: `${iops}`, expected: `at most ${most}: 500 a GiB` }];
  if (throughput <= iops * 0.25) return [];
  return [{ code: "AWS_VOLUME_RATE", where: `${where}.throughput`, problem: "a disk with this rate has no such throughput", found: `${throughput}`, expected: `at most ${iops * 0.25}: 0.25 for each of the ${iops} IOPS` }];
}

function spotFaults({ market }: Pick<Ec2BuildHostConfig, "market">, types: readonly string[], where: string): Fault[] {
  const known = types.filter((type) => instanceTypes.has(type));
  if (market.kind !== "spot" || market.maxUsdPerHour === undefined || known.length === 0) return [];
  const dearest = Math.max(...known.map((type) => instanceType(type).usdPerHour));
  if (market.maxUsdPerHour <= dearest) return [];
  return [{ code: "AWS_SPOT_PRICE_HIGH", where: `${where}.market.maxUsdPerHour`, problem: "on demand costs less", found: `${market.maxUsdPerHour}`, expected: `at most ${dearest}, or no value` }];
}

function domainFaults({ aws, cacheHost, domain }: AwsParts): Fault[] {
  if (cacheHost === undefined) return [];
  const { hostedZone } = cacheHost;
  const faults: Fault[] = [];
  if (hostedZone !== undefined && domain !== hostedZone && !domain?.endsWith(`.${hostedZone}`)) {
    faults.push({ code: "AWS_DOMAIN_ZONE", where: "comfyui:binaryCache.domain", problem: "the cache's name is not in the hosted zone", found: domain ?? "nothing", expected: `a name that ends with .${hostedZone}` });
  }
  if (domain !== undefined && aws !== undefined && !aws.openToWorld) {
    faults.push({ code: "AWS_CERTIFICATE_PORT", where: "comfyui:binaryCache.domain", problem: "the certificate of a domain is given to a host whose port 80 the world can reach", found: "aws.openToWorld: false", expected: "aws.openToWorld: true, or no domain" });
  }
  return faults;
}

/** Nobody but the build host's role may write to it. */
function bucketFaults({ bucket, builtOn }: AwsParts): Fault[] {
  if (bucket === undefined || builtOn === undefined || builtOn === "ec2") return [];
  return [{ code: "AWS_BUCKET_HOST", where: `comfyui:${bucket}`, problem: "a bucket that the stack makes is written to by the role of a build host on EC2", found: `buildHost.kind ${builtOn}`, expected: "buildHost.kind: ec2, or url with a bucket that is there" }];
}
