/** The configuration of stacks on AWS: what it means, and what is said of what is wrong. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../infra/config.ts";
import { LOGIN_KEY, type Sections, signingKey, stackConfig, stackFile } from "../support/aws-stacks.ts";
import { assertFault, faultsOf, type FaultRow } from "./faults.ts";

const parse = (input: Sections) => parseConfig({ ...input }, { flavors: ["sample", "pypi", "cu130"], isSecret: () => true });
const team = (more: Sections) => stackConfig("team", more);
const aws = (more: Sections) => team({ aws: more });
const build = (more: Sections) => team({ buildHost: more });
const cache = (more: Sections) => team({ binaryCache: { host: more } });

for (const stack of ["team", "prod"] as const) {
  test(`the stack ${stack} is right, but for the values that are everybody's own`, () => {
    parse(stackConfig(stack));
    const missing = faultsOf(() => parse(stackFile(stack))).map(({ code, where }) => `${code} ${where}`);
    const own = ["aws.accountId", "aws.sshFrom", "aws.login", "binaryCache.signingKey", ...(stack === "prod" ? ["aws.alarms.email", "aws.budget.email"] : [])];
    assert.deepEqual(missing.sort(), own.map((path) => `CONFIG_MISSING comfyui:${path}`).sort());
  });
}

test("an account is taken as pulumi config set writes it, unless a digit is missing", () => {
  assert.equal(parse(aws({ accountId: 123456789012 })).aws?.accountId, "123456789012");
  assertFault({ code: "CONFIG_TYPE", input: aws({ accountId: 12345678901 }), where: "comfyui:aws.accountId", says: ["expected: string"] }, parse);
});

test("a host on EC2 needs nothing but its kind", () => {
  const { buildHost } = parse(team({ flavor: { kind: "sample" }, buildHost: { kind: "ec2", market: undefined, volume: undefined, idleMinutes: undefined } }));
  const volume = { sizeGiB: 200, iops: 3000, throughput: 125 };
  assert.deepEqual(buildHost, { kind: "ec2", market: { kind: "on-demand" }, gpu: false, volume, idleMinutes: 20, minFreeGiB: 10, maxFreeGiB: 30 });
});

const WORLD = "0.0.0.0/0";
const rows: FaultRow<Sections>[] = [
  { code: "AWS_SECTION_MISSING", input: team({ aws: undefined }), where: "comfyui:aws", says: ["nothing, and buildHost.kind ec2, binaryCache.host.kind ec2, registry.kind ecr", "accountId"] },
  { code: "AWS_SECTION_UNUSED", input: { aws: stackConfig("team")["aws"] }, where: "comfyui:aws", says: ["nothing of this stack is on AWS"] },
  { code: "AWS_ACCOUNT", input: aws({ accountId: "12345" }), where: "comfyui:aws.accountId", says: ['found:    "12345"', "12 digits"] },
  { code: "AWS_REGION", input: aws({ region: "virginia" }), where: "comfyui:aws.region", says: ["eu-central-1"] },
  { code: "AWS_ZONE", input: aws({ network: { kind: "new", zones: ["a", "us-east-1b"] } }), where: "comfyui:aws.network.zones[1]", says: ["us-east-1b", "the letter"] },
  { code: "CONFIG_RANGE", input: aws({ network: { kind: "new", zones: ["a"] } }), where: "comfyui:aws.network.zones", says: [">=2 items"] },
  { code: "CONFIG_DUPLICATE", input: aws({ network: { kind: "new", zones: ["a", "a"] } }), where: "comfyui:aws.network.zones[1]", says: ["listed twice"] },
  { code: "AWS_CIDR", input: aws({ sshFrom: ["203.0.113.7"] }), where: "comfyui:aws.sshFrom[0]", says: ["ADDRESS/PREFIX"] },
  { code: "AWS_CIDR", input: aws({ cacheFrom: ["300.0.0.0/8"] }), where: "comfyui:aws.cacheFrom[0]", says: ["300.0.0.0/8"] },
  { code: "AWS_CIDR_BITS", input: aws({ sshFrom: ["203.0.113.7/24"] }), where: "comfyui:aws.sshFrom[0]", says: ["bits behind its prefix"] },
  { code: "AWS_CIDR_SIZE", input: aws({ network: { kind: "new", cidr: "10.0.0.0/8" } }), where: "comfyui:aws.network.cidr", says: ["/16 to /24"] },
  { code: "AWS_VPC", input: aws({ network: { kind: "existing", vpcId: "my-vpc", cidr: "10.0.0.0/16", subnets: [{ id: "subnet-01234567", zone: "a" }] } }), where: "comfyui:aws.network.vpcId", says: ["my-vpc"] },
  { code: "AWS_SUBNET", input: aws({ network: { kind: "existing", vpcId: "vpc-01234567", cidr: "10.0.0.0/16", subnets: [{ id: "subnet-1", zone: "a" }] } }), where: "comfyui:aws.network.subnets[0].id", says: ["subnet-1"] },
  { code: "AWS_EMAIL", input: aws({ alarms: { email: "ops" } }), where: "comfyui:aws.alarms.email", says: ["NAME@DOMAIN"] },
  { code: "AWS_BOUNDARY", input: aws({ permissionsBoundary: "boundary" }), where: "comfyui:aws.permissionsBoundary", says: ["policy/NAME"] },
  { code: "AWS_BOUNDARY_ACCOUNT", input: aws({ permissionsBoundary: "arn:aws:iam::210987654321:policy/bound" }), where: "comfyui:aws.permissionsBoundary", says: ["210987654321", "123456789012"] },
  { code: "AWS_TAG", input: aws({ tags: { "aws:cost": "x" } }), where: "comfyui:aws.tags.aws:cost", says: ["aws:"] },
  { code: "AWS_TAG_RESERVED", input: aws({ tags: { "comfyui:stack": "x" } }), where: "comfyui:aws.tags.comfyui:stack", says: ["sets this tag itself"] },
  { code: "AWS_LOGIN_KEY", input: aws({ login: { authorizedKeys: ["AAAA"] } }), where: "comfyui:aws.login.authorizedKeys[0]", says: [".pub file"] },
  { code: "CONFIG_PRIVATE_KEY", input: aws({ login: { privateKey: "secret words" } }), where: "comfyui:aws.login.privateKey", says: ["private key"] },
  { code: "AWS_WORLD_OPEN", input: aws({ sshFrom: [WORLD] }), where: "comfyui:aws.sshFrom[0]", says: ["the whole world could reach this port", "openToWorld"] },
  { code: "AWS_WORLD_OPEN", input: aws({ cacheFrom: [WORLD] }), where: "comfyui:aws.cacheFrom[0]", says: ["the whole world"] },
  { code: "AWS_TYPE_UNKNOWN", input: build({ types: ["m5.large"] }), where: "comfyui:buildHost.types[0]", says: ["m5.large", "instance-types.ts"] },
  { code: "AWS_TYPE_OLD", input: build({ types: ["p3.2xlarge"], gpu: true }), where: "comfyui:buildHost.types[0]", says: ["CUDA 13", "p3.2xlarge"] },
  { code: "AWS_TYPE_SYSTEM", input: build({ types: ["c8g.4xlarge"] }), where: "comfyui:buildHost.types[0]", says: ["c8g.4xlarge is aarch64-linux", "expected: x86_64-linux"] },
  { code: "AWS_TYPE_GPU", input: build({ types: ["c7i.4xlarge"], gpu: true }), where: "comfyui:buildHost.types[0]", says: ["has none"] },
  { code: "AWS_TYPE_GPU", input: build({ types: ["g6f.xlarge"], gpu: true }), where: "comfyui:buildHost.types[0]", says: ["a part of L4"] },
  { code: "AWS_TYPE_GPU_UNUSED", input: build({ types: ["g6.xlarge"] }), where: "comfyui:buildHost.types[0]", says: ["nothing uses"] },
  { code: "AWS_TYPE_GPU_UNUSED", input: cache({ type: "g5g.xlarge" }), where: "comfyui:binaryCache.host.type", says: ["g5g.xlarge has 1 T4g"] },
  { code: "CONFIG_DUPLICATE", input: build({ types: ["c7i.4xlarge", "c7i.4xlarge"] }), where: "comfyui:buildHost.types[1]", says: ["listed twice"] },
  { code: "AWS_AMI", input: build({ ami: { kind: "id", id: "debian", user: "admin" } }), where: "comfyui:buildHost.ami.id", says: ["ami-"] },
  { code: "AWS_AMI_PARAMETER", input: build({ ami: { kind: "parameter", name: "debian", user: "admin" } }), where: "comfyui:buildHost.ami.name", says: ["/aws/service/"] },
  { code: "AWS_AMI_SYSTEM", input: build({ ami: { kind: "parameter", name: "/aws/service/debian/release/13/latest/arm64", user: "admin" } }), where: "comfyui:buildHost.ami.name", says: ["another architecture"] },
  { code: "AWS_VOLUME_SIZE", input: cache({ volume: { sizeGiB: 8 } }), where: "comfyui:binaryCache.host.volume.sizeGiB", says: ["20 to 16384"] },
  { code: "AWS_VOLUME_SMALL", input: build({ volume: { sizeGiB: 60 } }), where: "comfyui:buildHost.volume.sizeGiB", says: ["the flavor cu130 does not fit", "at least 150"] },
  { code: "AWS_VOLUME_IOPS", input: build({ volume: { iops: 100 } }), where: "comfyui:buildHost.volume.iops", says: ["3000 to 16000"] },
  { code: "AWS_VOLUME_THROUGHPUT", input: build({ volume: { throughput: 4000 } }), where: "comfyui:buildHost.volume.throughput", says: ["125 to 1000"] },
  { code: "AWS_VOLUME_RATE", input: cache({ volume: { sizeGiB: 20, iops: 12_000 } }), where: "comfyui:binaryCache.host.volume.iops", says: ["at most 10000"] },
  { code: "AWS_VOLUME_RATE", input: build({ volume: { throughput: 1000 } }), where: "comfyui:buildHost.volume.throughput", says: ["at most 750"] },
  { code: "AWS_ROOT_SIZE", input: build({ rootGiB: 4 }), where: "comfyui:buildHost.rootGiB", says: ["10 to 1000"] },
  { code: "AWS_SPOT_PRICE", input: build({ market: { kind: "spot", maxUsdPerHour: 0 } }), where: "comfyui:buildHost.market.maxUsdPerHour", says: ["more than 0"] },
  { code: "AWS_SPOT_PRICE_HIGH", input: build({ market: { kind: "spot", maxUsdPerHour: 5 } }), where: "comfyui:buildHost.market.maxUsdPerHour", says: ["on demand costs less", "at most 0.8064"] },
  { code: "AWS_IDLE_MINUTES", input: build({ idleMinutes: 1 }), where: "comfyui:buildHost.idleMinutes", says: ["5 to 1440"] },
  { code: "AWS_BUILDERS_HOST", input: team({ buildHost: { kind: "ssh", host: "build.example", hostKey: LOGIN_KEY }, builders: { kind: "ec2", systems: ["x86_64-linux"] } }), where: "comfyui:builders.kind", says: ["buildHost.kind: ec2"] },
  { code: "AWS_BUILDERS_COUNT", input: team({ builders: { kind: "ec2", systems: ["x86_64-linux"], count: 50 } }), where: "comfyui:builders.count", says: ["1 to 20"] },
  { code: "AWS_BUILDERS_DISK", input: team({ builders: { kind: "ec2", systems: ["x86_64-linux"], rootGiB: 8 } }), where: "comfyui:builders.rootGiB", says: ["30 to 1000"] },
  { code: "AWS_TYPE_SYSTEM", input: team({ builders: { kind: "ec2", systems: ["x86_64-linux", "aarch64-linux"], types: ["c7i.4xlarge"] } }), where: "comfyui:builders.types", says: ["expected: aarch64-linux"] },
  { code: "CONFIG_DUPLICATE", input: team({ builders: { kind: "ec2", systems: ["x86_64-linux", "x86_64-linux"] } }), where: "comfyui:builders.systems[1]", says: ["count says"] },
  { code: "AWS_SPOT_PRICE_HIGH", input: team({ builders: { kind: "ec2", systems: ["x86_64-linux"], types: ["c7i.4xlarge"], market: { kind: "spot", maxUsdPerHour: 3 } } }), where: "comfyui:builders.market.maxUsdPerHour", says: ["at most 0.714"] },
  { code: "CONFIG_SYSTEM_BUILDER", input: team({ systems: ["x86_64-linux", "aarch64-linux"] }), where: "comfyui:systems[1]", says: ["the build host is x86_64-linux", "found:    no builders", "expected: builders with aarch64-linux"] },
  { code: "CONFIG_SYSTEM_BUILDER", input: team({ systems: ["x86_64-linux", "aarch64-linux"], builders: { kind: "ec2", systems: ["x86_64-linux"] } }), where: "comfyui:systems[1]", says: ["found:    builders for x86_64-linux"] },
  { code: "AWS_HOSTED_ZONE", input: team({ aws: { openToWorld: true }, binaryCache: { domain: "cache.example.org", host: { hostedZone: "example.org." } } }), where: "comfyui:binaryCache.host.hostedZone", says: ["without a dot"] },
  { code: "AWS_DOMAIN_ZONE", input: team({ aws: { openToWorld: true }, binaryCache: { domain: "cache.example.com", host: { hostedZone: "example.org" } } }), where: "comfyui:binaryCache.domain", says: ["ends with .example.org"] },
  { code: "AWS_CERTIFICATE_PORT", input: team({ binaryCache: { domain: "cache.example.org" } }), where: "comfyui:binaryCache.domain", says: ["port 80", "openToWorld"] },
  { code: "AWS_BUCKET", input: team({ binaryCache: { mirror: { bucket: { name: "Our.Cache" } } } }), where: "comfyui:binaryCache.mirror.bucket.name", says: ["Our.Cache", "3 to 63"] },
  { code: "CONFIG_BUCKET", input: team({ binaryCache: { mirror: { url: "s3://layers?region=us-east-1", bucket: {} } } }), where: "comfyui:binaryCache.mirror", says: ["found:    both url and bucket"] },
  { code: "AWS_BUCKET_HOST", input: team({ buildHost: { kind: "ssh", host: "build.example", hostKey: LOGIN_KEY }, binaryCache: { mirror: { bucket: {} } } }), where: "comfyui:binaryCache.mirror.bucket", says: ["buildHost.kind ssh", "buildHost.kind: ec2, or url"] },
  { code: "AWS_SECTION_MISSING", input: team({ aws: undefined, binaryCache: { kind: "s3", name: "team", signingKey, bucket: {} } }), where: "comfyui:aws", says: ["nothing, and buildHost.kind ec2, binaryCache.bucket, registry.kind ecr"] },
  { code: "AWS_REPOSITORY", input: team({ registry: { name: "ComfyUI" } }), where: "comfyui:registry.name", says: ["ComfyUI"] },
  { code: "AWS_KEEP", input: team({ registry: { keep: 0 } }), where: "comfyui:registry.keep", says: ["1 to 1000"] },
  { code: "AWS_PRINCIPAL", input: team({ registry: { pullFrom: ["*"] } }), where: "comfyui:registry.pullFrom[0]", says: ["the ARN of a role"] },
];
for (const row of rows) test(`${row.code} at ${row.where}: ${row.says[0]}`, () => assertFault(row, parse));

test("over thirty different things can be wrong on AWS, each with a code of its own", () => {
  assert.ok(new Set(rows.map(({ code }) => code).filter((code) => code.startsWith("AWS_"))).size > 30);
});

test("openToWorld allows what is refused without it", () => {
  parse(team({ aws: { openToWorld: true, sshFrom: [WORLD], cacheFrom: [WORLD] }, binaryCache: { domain: "cache.example.org", host: { hostedZone: "example.org" } } }));
});

test("several faults are reported together", () => {
  const faults = faultsOf(() => parse(team({ aws: { sshFrom: [WORLD], region: "here" }, buildHost: { types: ["c8g.4xlarge"], volume: { iops: 1 } } })));
  assert.deepEqual(faults.map(({ code }) => code).sort(), ["AWS_REGION", "AWS_VOLUME_IOPS"]);
});
