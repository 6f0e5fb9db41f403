/** The sections of the configuration that only stacks on AWS have. */
import ssh2 from "ssh2";
import { z } from "zod";
import { networkOf, parseCidr } from "../aws/cidr.ts";
import { familyOf, instanceTypes, OLD_GPU_FAMILIES } from "../aws/instance-types.ts";
import { checked, privateKey } from "./checked.ts";

/** A number is what YAML and `pulumi config set` make of it. One that begins with 0 would have lost a digit. */
const accountId = z.preprocess(
  (id) => (typeof id === "number" && /^\d{12}$/.test(`${id}`) ? `${id}` : id),
  checked("AWS_ACCOUNT", "the account's 12 digits, in quotes", (id) => /^\d{12}$/.test(id), "this is no AWS account"),
);
const region = checked("AWS_REGION", "a region's code, such as eu-central-1", (code) => /^[a-z]{2}(-[a-z]+){1,3}-\d$/.test(code), "this is no AWS region");
const zoneLetter = checked("AWS_ZONE", "the letter behind the region, such as a", (letter) => /^[a-z]$/.test(letter), "this is no availability zone's letter");

/** An IPv4 network. AWS takes none with bits behind its prefix. */
const cidr = checked("AWS_CIDR", "ADDRESS/PREFIX, such as 203.0.113.7/32", (text) => parseCidr(text) !== undefined, "this is no IPv4 network").refine(
  (text) => {
    const parsed = parseCidr(text);
    return parsed === undefined || networkOf(parsed) === parsed.address;
  },
  { error: "the address has bits behind its prefix", params: { code: "AWS_CIDR_BITS", expected: "the first address of the network, or /32 for one machine" } },
);
const vpcCidr = cidr.refine((text) => ((parsed) => parsed === undefined || (parsed.prefix >= 16 && parsed.prefix <= 24))(parseCidr(text)), {
  error: "a VPC of this size is of no use",
  params: { code: "AWS_CIDR_SIZE", expected: "a prefix from /16 to /24" },
});

const vpcId = checked("AWS_VPC", "vpc- and 8 or 17 hexadecimal digits", (id) => /^vpc-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id), "this is no VPC's id");
const subnetId = checked("AWS_SUBNET", "subnet- and 8 or 17 hexadecimal digits", (id) => /^subnet-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id), "this is no subnet's id");
const email = checked("AWS_EMAIL", "NAME@DOMAIN", (text) => /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text), "this is no e-mail address");
const policyArn = checked("AWS_BOUNDARY", "arn:aws:iam::ACCOUNT:policy/NAME", (arn) => /^arn:aws(-cn|-us-gov)?:iam::(\d{12}|aws):policy\/[\w+=,.@/-]+$/.test(arn), "this is no policy's ARN");
const loginKey = checked("AWS_LOGIN_KEY", "the line of a .pub file", (line) => !(ssh2.utils.parseKey(line) instanceof Error) && !line.includes("PRIVATE"), "this is no SSH public key");

/**
 * Where everything of the stack on AWS is made. Default: none; needed as soon as another section has something on AWS.
 * Credentials are those of the AWS CLI (profile, environment or role).
 */
export const aws = z
  .strictObject({
    /** The account. Credentials of another one are refused, so that nothing is ever made in the wrong place. */
    accountId,
    region,
    /** Networks that may reach the hosts' SSH servers: those of the people and of the CI that run pulumi. */
    sshFrom: z.array(cidr).min(1),
    /** Networks that may read from the cache host, beside its own VPC. Default: none. */
    cacheFrom: z.array(cidr).default([]),
    /** Lets the two lists above have 0.0.0.0/0, and a cache with a `domain` have the world's port 80 for its certificate. Default: false. */
    openToWorld: z.boolean().default(false),
    /**
     * `new`: a VPC of the stack's own (free of charge), with a public subnet in each zone. `existing`: one that is there, with
     * subnets that have a way out. A change replaces the hosts; their volumes stay where the zone does.
     */
    network: z
      .discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("new"), cidr: vpcCidr.default("10.20.0.0/16"), zones: z.array(zoneLetter).min(2).default(["a", "b"]) }),
        z.strictObject({ kind: z.literal("existing"), vpcId, cidr, subnets: z.array(z.strictObject({ id: subnetId, zone: zoneLetter })).min(1) }),
      ])
      .default({ kind: "new", cidr: "10.20.0.0/16", zones: ["a", "b"] }),
    /** Who may log in to the hosts. The first `up` waits for a host as the owner of one of these keys. */
    login: z.strictObject({
      /** Public keys, as in .pub files. */
      authorizedKeys: z.array(loginKey).min(1),
      /** Private key to one of them, a secret, without a passphrase. Default: the keys of the SSH agent. */
      privateKey: privateKey.optional(),
    }),
    /** Further tags of everything. Default: none, beside comfyui:stack and comfyui:project. */
    tags: z.record(z.string(), z.string().max(256)).default({}),
    /**
     * Whether AWS Systems Manager may open sessions on the hosts: a way in, for those whom IAM lets, where SSH is out of reach
     * (`aws ssm start-session`). The hosts' roles and agents allow it; no port is opened. Default: false. Re-runs no layer. Cost: none.
     */
    sessions: z.boolean().default(false),
    /** Policy that bounds what the stack's roles may ever do. Default: none. */
    permissionsBoundary: policyArn.optional(),
    /** Who is told of a host that fails, and of a disk that fills. Default: nobody, no alarms. Cost: 0.10 USD a month each. */
    alarms: z.strictObject({ email }).optional(),
    /**
     * Whether CloudWatch counts what the build host and the builders do (namespace comfyui/STACK: each built layer's Seconds, Built,
     * Substituted and Bytes by `Layer`; IdleMinutes, Sessions and Building by `Role`). Default: false. Re-runs no layer. Cost: 0.30 USD
     * a month each, for the hours in which it is sent: three of a host while it runs, four of a layer in the hour that builds it.
     */
    metrics: z.boolean().default(false),
    /** Who is told when the month's cost of this stack is going to exceed the sum. Default: nobody. Cost: none. */
    budget: z.strictObject({ email, usdPerMonth: z.number().min(1).max(1_000_000) }).optional(),
    /** Daily snapshots of the hosts' volumes, and how many are kept. Default: none. Cost: 0.05 USD a GiB and month of what changed. */
    snapshots: z.strictObject({ keep: z.int().min(1).max(365) }).optional(),
  })
  .optional();

const typeName = checked("AWS_TYPE_OLD", `a GPU of the year 2018 or newer, such as g6.xlarge`, (type) => !(familyOf(type) in OLD_GPU_FAMILIES), "CUDA 13 has no code for this type's GPU").refine(
  (type) => familyOf(type) in OLD_GPU_FAMILIES || instanceTypes.has(type),
  { error: "this instance type is not in infra/aws/instance-types.ts", params: { code: "AWS_TYPE_UNKNOWN", expected: "a type of that table, or a new line in it" } },
);

/** The image that an instance starts from. It is looked up once: the instance keeps it until the configuration says otherwise. */
const ami = z
  .discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("id"), id: checked("AWS_AMI", "ami- and 8 or 17 hexadecimal digits", (id) => /^ami-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id), "this is no AMI's id"), user: z.enum(["admin", "ubuntu"]) }),
    z.strictObject({ kind: z.literal("parameter"), name: checked("AWS_AMI_PARAMETER", "/aws/service/…", (name) => /^\/aws\/service\/[\w./-]+$/.test(name), "this is no public parameter that names an AMI"), user: z.enum(["admin", "ubuntu"]) }),
  ])
  .optional();

/** A gp3 disk for /nix, encrypted. It outlives its instance, and `pulumi destroy` leaves it. It can grow, not shrink. */
const volume = (sizeGiB: number) =>
  z
    .strictObject({
      /** Cost: 0.08 USD a GiB and month, also while the host is stopped. */
      sizeGiB: z.int().default(sizeGiB).refine((size) => size >= 20 && size <= 16_384, { error: "a store does not fit, or the disk cannot be made", params: { code: "AWS_VOLUME_SIZE", expected: "20 to 16384 GiB" } }),
      /** Cost beyond 3000: 0.005 USD each and month. */
      iops: z.int().default(3000).refine((iops) => iops >= 3000 && iops <= 16_000, { error: "gp3 has no such rate", params: { code: "AWS_VOLUME_IOPS", expected: "3000 to 16000" } }),
      /** MB/s. Cost beyond 125: 0.04 USD each and month. */
      throughput: z.int().default(125).refine((rate) => rate >= 125 && rate <= 1000, { error: "gp3 has no such throughput", params: { code: "AWS_VOLUME_THROUGHPUT", expected: "125 to 1000 MB/s" } }),
    })
    .prefault({});

const market = z
  .discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("on-demand") }),
    z.strictObject({ kind: z.literal("spot"), maxUsdPerHour: z.number().refine((price) => price > 0, { error: "nobody gives an instance for this price", params: { code: "AWS_SPOT_PRICE", expected: "more than 0; or no value, for the price on demand" } }).optional() }),
  ])
  .default({ kind: "on-demand" });

const idleMinutes = (minutes: number) =>
  z.int().default(minutes).refine((minutes) => minutes === 0 || (minutes >= 5 && minutes <= 1440), { error: "it would stop between two commands, or never", params: { code: "AWS_IDLE_MINUTES", expected: "5 to 1440, or 0 for never" } });

/** Builds on an EC2 instance that the stack makes. Re-runs no layer: the instance may be replaced, its store stays. */
export const ec2BuildHost = z.strictObject({
  kind: z.literal("ec2"),
  /**
   * Instance types, the best first. The first for which there is capacity in some zone is taken, and kept as long as it is
   * listed. Default: c7i.4xlarge (0.71 USD an hour), c7i-flex.4xlarge, m7i.4xlarge; c8g.4xlarge, c7g.4xlarge for aarch64-linux; with `gpu` g6.2xlarge, g5.2xlarge.
   */
  types: z.array(typeName).min(1).optional(),
  /** `on-demand`: it is there as long as it runs. `spot`: about half the price; AWS may stop it, and the next `up` goes on. Default: on-demand. */
  market,
  /** Whether it has an NVIDIA GPU. No build uses one; only the check of a published image does. Default: false. */
  gpu: z.boolean().default(false),
  /** Default: Debian 13; with `gpu` AWS's Deep Learning base image with NVIDIA's driver, on Ubuntu 24.04. */
  ami,
  volume: volume(200),
  /** Disk of the system. Default: 30, with `gpu` 100. */
  rootGiB: z.int().refine((size) => size >= 10 && size <= 1000, { error: "a system does not fit, or is far too large", params: { code: "AWS_ROOT_SIZE", expected: "10 to 1000 GiB" } }).optional(),
  /** It stops itself after so many minutes without a build and without an SSH session; `pulumi up` starts it again. 0: never. Default: 20. */
  idleMinutes: idleMinutes(20),
  minFreeGiB: z.number().min(0).max(100_000).default(10),
  maxFreeGiB: z.number().min(0).max(100_000).default(30),
});

/** Serves the cache from an EC2 instance that the stack makes. It runs all the time. */
export const ec2CacheHost = z.strictObject({
  kind: z.literal("ec2"),
  /** Default: t4g.small, 12 USD a month. */
  type: typeName.default("t4g.small"),
  /** Default: Debian 13. */
  ami,
  volume: volume(100),
  /** Hosted zone in Route 53 that gets a record for `domain`. Default: none; the record is made elsewhere. */
  hostedZone: checked("AWS_HOSTED_ZONE", "a domain, without a dot at its end", (name) => /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/.test(name), "this is no hosted zone's name").optional(),
});

/**
 * A bucket for a cache, private and encrypted; every host of the VPC may read it, the build host's role alone may write. In a
 * network that is there (`network.kind: existing`) those reads want a gateway endpoint for S3. `pulumi destroy` leaves it.
 * Cost: 0.023 USD a GiB and month.
 */
export const cacheBucket = z.strictObject({
  /** Its name, which nobody in the world has yet. Default: comfyui-ACCOUNT-REGION-STACK. A change makes another bucket. */
  name: checked("AWS_BUCKET", "3 to 63 lower case letters, digits and -", (name) => /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(name) && !/^xn--|-s3alias$/.test(name), "S3 takes no bucket of this name").optional(),
});

/** Further machines that Nix on the build host hands derivations to, made by the stack; also of another architecture. */
export const ec2Builders = z.strictObject({
  kind: z.literal("ec2"),
  /** What they build for: so many machines for each. A system of the stack that is not the build host's own has to be one of them. */
  systems: z.array(z.enum(["x86_64-linux", "aarch64-linux"])).min(1).max(2),
  /** Machines for each system. Default: 1. Cost: as a build host's, while they run. */
  count: z.int().default(1).refine((count) => count >= 1 && count <= 20, { error: "so many machines are not made", params: { code: "AWS_BUILDERS_COUNT", expected: "1 to 20" } }),
  /** Ranked, of any of the systems. Default: those of a build host. */
  types: z.array(typeName).min(1).optional(),
  market,
  /** Disk of the system, with its Nix store, which is thrown away with the machine. Default: 150. */
  rootGiB: z.int().default(150).refine((size) => size >= 30 && size <= 1000, { error: "a store does not fit, or is far too large", params: { code: "AWS_BUILDERS_DISK", expected: "30 to 1000 GiB" } }),
  /** They stop themselves after so many minutes without a build; the build host's next command starts them again. 0: never. Default: 60. */
  idleMinutes: idleMinutes(60),
});

const principal = checked("AWS_PRINCIPAL", "an account's 12 digits, or the ARN of a role or user", (text) => /^\d{12}$|^arn:aws(-cn|-us-gov)?:iam::\d{12}:(root|(role|user)\/[\w+=,.@/-]+)$/.test(text), "this names nobody who may pull");

/** A repository of Amazon ECR that the stack makes. The host logs in by its role; no password is kept anywhere. Re-runs the publish. */
export const ecrRegistry = z.strictObject({
  kind: z.literal("ecr"),
  /** Default: comfyui. */
  name: checked("AWS_REPOSITORY", "2 to 256 of a-z, 0-9 and . _ - /, beginning with a letter", (name) => /^(?=.{2,256}$)[a-z][a-z0-9]*([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/.test(name), "ECR takes no such name").default("comfyui"),
  /** Images that are kept, beside the live one of each stack. Default: 20. Cost: 0.10 USD a GiB and month; blobs that images share count once. */
  keep: z.int().default(20).refine((keep) => keep >= 1 && keep <= 1000, { error: "so many images are not kept", params: { code: "AWS_KEEP", expected: "1 to 1000" } }),
  /** Others who may pull: accounts, roles, users. Default: none, beside this account's own policies. */
  pullFrom: z.array(principal).default([]),
});

export type AwsConfig = NonNullable<z.output<typeof aws>>;
export type Ec2BuildHostConfig = z.output<typeof ec2BuildHost>;
export type Ec2CacheHostConfig = z.output<typeof ec2CacheHost>;
export type Ec2BuildersConfig = z.output<typeof ec2Builders>;
export type EcrConfig = z.output<typeof ecrRegistry>;
