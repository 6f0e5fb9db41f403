/** Rules that hold for every resource of a stack on AWS; each has a broken twin that it must reject. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { HOST_KEY } from "../support/aws-answers.ts";
import { awsProgram, ofType } from "../support/aws-program.ts";
import { signingKey } from "../support/aws-stacks.ts";
import type { MockedProgram, Registered } from "../support/mocked-program.ts";

const programs = { team: await awsProgram("team"), prod: await awsProgram("prod") };

/** A rule of the whole graph: what breaks it, in words. */
type Rule = (program: MockedProgram) => string[];

/** Each rule, with a change of the graph that it must reject. */
interface Law {
  readonly rule: Rule;
  readonly twin: { readonly type: string; readonly change: (resource: Registered) => Registered };
}

const input = (change: Record<string, unknown>) => (each: Registered): Registered => ({ ...each, inputs: { ...each.inputs, ...change } });
const every = (type: string, holds: (resource: Registered) => boolean): Rule => (program) => ofType(program, type).filter((each) => !holds(each)).map(({ name }) => name);

const INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule";
const INSTANCE = "aws:ec2/instance:Instance";
const VOLUME = "aws:ebs/volume:Volume";
const SECRET = "aws:secretsmanager/secret:Secret";
const allowed: Readonly<Record<string, string>> = { "203.0.113.7/32": "22", "10.20.0.0/16": "80" };

function instanceInput({ inputs }: Registered, key: string): Record<string, unknown> {
  return (inputs[key] ?? {}) as Record<string, unknown>;
}

/** Actions of a policy with a resource that is everything, other than those that AWS has none for. */
function wideActions({ inputs }: Registered): string[] {
  const { Statement } = JSON.parse(inputs["policy"] as string) as { Statement: { Action: string[]; Resource: string[] }[] };
  return Statement.flatMap(({ Action, Resource }) => (Resource.some((each) => /^\*$|:\*$/.test(each)) ? Action : Action.filter((action) => action.includes("*"))));
}

const WITHOUT_RESOURCE = /^(ecr:GetAuthorizationToken|cloudwatch:PutMetricData|ssm:UpdateInstanceInformation|ssmmessages:(Create|Open)(Control|Data)Channel)$/;

const BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy";
const PUBLIC_ACCESS = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock";
const BUCKET_ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration";

/** Every bucket has a resource of this type beside it, for which that holds. */
function everyBucket(type: string, holds: (inputs: Registered["inputs"]) => boolean): Rule {
  return (program) => ofType(program, "aws:s3/bucket:Bucket").map(({ inputs }) => inputs["bucket"] as string).filter((bucket) => !ofType(program, type).some(({ inputs }) => inputs["bucket"] === bucket && holds(inputs)));
}

interface BucketStatement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Condition?: { readonly Bool?: { readonly "aws:SecureTransport": string }; readonly StringEquals?: { readonly "aws:SourceVpc"?: string } };
}

function bucketStatements(inputs: Registered["inputs"]): readonly BucketStatement[] {
  return (JSON.parse(inputs["policy"] as string) as { Statement: BucketStatement[] }).Statement;
}

function bucketPolicy(...more: object[]): (each: Registered) => Registered {
  return (each) => input({ policy: JSON.stringify({ Statement: more.length === 0 ? [] : [...bucketStatements(each.inputs), ...more] }) })(each);
}

/** Parts of a resource that the provider tags where the resource itself has no tags. */
const tagged = (program: MockedProgram) => ofType(program, "pulumi:providers:aws");

const laws: Readonly<Record<string, Law>> = {
  "each port is open to a network that was listed, and to no other": {
    rule: every(INGRESS, ({ inputs }) => inputs["cidrIpv4"] === undefined || allowed[inputs["cidrIpv4"] as string] === `${inputs["fromPort"] as number}`),
    twin: { type: INGRESS, change: input({ cidrIpv4: "0.0.0.0/0" }) },
  },
  "one ingress rule opens one port": {
    rule: every(INGRESS, ({ inputs }) => inputs["ipProtocol"] === "tcp" && inputs["fromPort"] === inputs["toPort"]),
    twin: { type: INGRESS, change: input({ toPort: 65_535 }) },
  },
  "what is open has no more rules than there are listed networks": {
    rule: (program) => (ofType(program, INGRESS).length === 4 ? [] : [`${ofType(program, INGRESS).length} rules`]),
    twin: { type: "aws:sns/topic:Topic", change: (each) => ({ ...each, type: INGRESS }) },
  },
  "security groups and the VPC's own have no rules within them": {
    rule: (program) => program.resources.filter(({ type, inputs }) => /SecurityGroup$/.test(type) && ("ingress" in inputs || "egress" in inputs)).map(({ name }) => name),
    twin: { type: "aws:ec2/securityGroup:SecurityGroup", change: input({ ingress: [{ fromPort: 0, toPort: 0 }] }) },
  },
  "the metadata of an instance wants a token, and reaches no further than the instance": {
    rule: every(INSTANCE, (each) => instanceInput(each, "metadataOptions")["httpTokens"] === "required" && instanceInput(each, "metadataOptions")["httpPutResponseHopLimit"] === 1),
    twin: { type: INSTANCE, change: input({ metadataOptions: { httpTokens: "optional" } }) },
  },
  "the system's disks are encrypted": {
    rule: every(INSTANCE, (each) => instanceInput(each, "rootBlockDevice")["encrypted"] === true),
    twin: { type: INSTANCE, change: input({ rootBlockDevice: { encrypted: false } }) },
  },
  "the disks for /nix are encrypted": {
    rule: every(VOLUME, ({ inputs }) => inputs["encrypted"] === true),
    twin: { type: VOLUME, change: input({ encrypted: false }) },
  },
  "the disks for /nix are not deleted by accident": {
    rule: every(VOLUME, ({ protect }) => protect),
    twin: { type: VOLUME, change: (each) => ({ ...each, protect: false }) },
  },
  "the images are not deleted by accident": {
    rule: every("aws:ecr/repository:Repository", ({ protect, inputs }) => protect && inputs["forceDelete"] === false),
    twin: { type: "aws:ecr/repository:Repository", change: input({ forceDelete: true }) },
  },
  "no bucket can be made public": {
    rule: everyBucket(PUBLIC_ACCESS, (inputs) => ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"].every((setting) => inputs[setting] === true)),
    twin: { type: PUBLIC_ACCESS, change: input({ blockPublicPolicy: false }) },
  },
  "who has no role reads a bucket from the VPC alone, and writes nothing": {
    rule: everyBucket(BUCKET_POLICY, (inputs) => bucketStatements(inputs).filter(({ Effect }) => Effect === "Allow").every(({ Action, Condition }) => `${Action}` === "s3:GetObject,s3:ListBucket" && /^vpc-/.test(Condition?.StringEquals?.["aws:SourceVpc"] ?? ""))),
    twin: { type: BUCKET_POLICY, change: bucketPolicy({ Effect: "Allow", Principal: "*", Action: ["s3:GetObject"], Resource: "*" }) },
  },
  "a bucket answers nobody without TLS": {
    rule: everyBucket(BUCKET_POLICY, (inputs) => bucketStatements(inputs).some(({ Effect, Action, Condition }) => Effect === "Deny" && Action === "s3:*" && Condition?.Bool?.["aws:SecureTransport"] === "false")),
    twin: { type: BUCKET_POLICY, change: bucketPolicy() },
  },
  "buckets are encrypted": {
    rule: everyBucket(BUCKET_ENCRYPTION, (inputs) => /"sseAlgorithm":"(AES256|aws:kms)"/.test(JSON.stringify(inputs["rules"]))),
    twin: { type: BUCKET_ENCRYPTION, change: input({ bucket: "another" }) },
  },
  "buckets are not deleted by accident": {
    rule: every("aws:s3/bucket:Bucket", ({ protect, inputs }) => protect && inputs["forceDestroy"] === false),
    twin: { type: "aws:s3/bucket:Bucket", change: (each) => ({ ...each, protect: false }) },
  },
  "tags of images do not move": {
    rule: every("aws:ecr/repository:Repository", ({ inputs }) => /^IMMUTABLE/.test(inputs["imageTagMutability"] as string)),
    twin: { type: "aws:ecr/repository:Repository", change: input({ imageTagMutability: "MUTABLE" }) },
  },
  "a host that shuts itself down stops, and is not terminated": {
    rule: every(INSTANCE, ({ inputs }) => inputs["instanceInitiatedShutdownBehavior"] === "stop"),
    twin: { type: INSTANCE, change: input({ instanceInitiatedShutdownBehavior: "terminate" }) },
  },
  "a role may do nothing to everything, but for what AWS has no resource for": {
    rule: (program) => ofType(program, "aws:iam/rolePolicy:RolePolicy").flatMap((each) => wideActions(each).filter((action) => !WITHOUT_RESOURCE.test(action))),
    twin: { type: "aws:iam/rolePolicy:RolePolicy", change: input({ policy: JSON.stringify({ Statement: [{ Action: ["s3:GetObject"], Resource: ["*"] }] }) }) },
  },
  "a role is for a service of AWS, and for nobody else": {
    rule: every("aws:iam/role:Role", ({ inputs }) => /"Principal":\{"Service":"(ec2|dlm)\.amazonaws\.com"\}/.test(inputs["assumeRolePolicy"] as string)),
    twin: { type: "aws:iam/role:Role", change: input({ assumeRolePolicy: '{"Statement":[{"Principal":"*"}]}' }) },
  },
  "everything has the stack's tag": {
    rule: (program) => tagged(program).filter(({ inputs }) => !/comfyui:stack/.test(JSON.stringify(inputs["defaultTags"] ?? ""))).map(({ name }) => name),
    twin: { type: "pulumi:providers:aws", change: input({ defaultTags: undefined }) },
  },
  "nothing is made in another account than the one that is configured": {
    rule: every("pulumi:providers:aws", ({ inputs }) => JSON.stringify(inputs["allowedAccountIds"] ?? "").includes("123456789012")),
    twin: { type: "pulumi:providers:aws", change: input({ allowedAccountIds: undefined }) },
  },
  "AWS is asked by a provider of the stack's own": {
    rule: (program) => program.resources.filter(({ type, provider }) => type.startsWith("aws:") && provider === undefined).map(({ name }) => name),
    twin: { type: "aws:ec2/eip:Eip", change: (each) => ({ ...each, provider: undefined }) },
  },
  "no secret is in user data": {
    rule: every(INSTANCE, ({ inputs }) => !holdsSecret(gunzipSync(Buffer.from(inputs["userDataBase64"] as string, "base64")).toString())),
    twin: { type: INSTANCE, change: input({ userDataBase64: Buffer.from(gzip(`key: ${HOST_KEY.privateKey}`)).toString("base64") }) },
  },
  "no secret is in the state in clear": {
    rule: (program) => program.resources.filter(({ inputs }) => holdsSecret(JSON.stringify(withoutSecrets(inputs)))).map(({ name }) => name),
    twin: { type: "aws:secretsmanager/secretVersion:SecretVersion", change: input({ secretString: HOST_KEY.privateKey }) },
  },
  "the cache's signing key is not deleted by accident, and can be had back": {
    rule: every(SECRET, ({ name, protect, inputs }) => !name.endsWith("-signing") || (protect && (inputs["recoveryWindowInDays"] as number) >= 7)),
    twin: { type: SECRET, change: input({ recoveryWindowInDays: 0 }) },
  },
  "no command holds the cache's signing key: hosts fetch it": {
    rule: (program) => program.resources.filter(({ type, inputs }) => type.startsWith("command:") && JSON.stringify(inputs).includes(signingKey.split(":")[1] as string)).map(({ name }) => name),
    twin: { type: "command:remote:Command", change: input({ stdin: { secret: JSON.stringify({ cache: { signingKey } }) } }) },
  },
  "what makes a key keeps its output a secret": {
    rule: (program) => program.resources.filter(({ name, secretOutputs }) => name.endsWith("-key-pair") && !secretOutputs.includes("stdout")).map(({ name }) => name),
    twin: { type: "command:local:Command", change: (each) => ({ ...each, secretOutputs: [] }) },
  },
  "a resource's name begins with its parent's": {
    // Layers are older than that rule, and are not renamed: they would be built again.
    rule: ({ resources }) => resources.filter(({ name, parent, type }) => parent !== undefined && type !== "command:remote:Command" && !name.startsWith(`${parent}-`)).map(({ name }) => name),
    twin: { type: "aws:ec2/subnet:Subnet", change: (each) => ({ ...each, name: "subnet" }) },
  },
  "names are given once": {
    rule: ({ resources }) => resources.map(({ type, name }) => `${type} ${name}`).filter((name, at, all) => all.indexOf(name) < at),
    twin: { type: "aws:ec2/subnet:Subnet", change: (each) => ({ ...each, name: "comfyui-network-a" }) },
  },
};

function gzip(text: string): Buffer {
  return (process.getBuiltinModule("zlib") as typeof import("node:zlib")).gzipSync(text);
}

const secretTexts = [HOST_KEY.privateKey.split("\n")[1] as string, signingKey.split(":")[1] as string];
const holdsSecret = (text: string) => secretTexts.some((secret) => text.includes(secret));

function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (value === null || typeof value !== "object") return value;
  return "secret" in value ? "a secret" : Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutSecrets(each)]));
}

for (const [law, { rule, twin }] of Object.entries(laws)) {
  for (const [stack, program] of Object.entries(programs)) test(`${stack}: ${law}`, () => assert.deepEqual(rule(program), []));
  test(`a graph is rejected that breaks it: ${law}`, () => {
    let changed = 0;
    const resources = programs.prod.resources.map((each) => (each.type === twin.type ? (changed++, twin.change(each)) : each));
    assert.ok(changed > 0, `prod has no ${twin.type}`);
    assert.notDeepEqual(rule({ ...programs.prod, resources }), []);
  });
}

test("what the secrets are that the tests look for: they are there, as secrets", () => {
  const texts = programs.team.resources.map(({ inputs }) => JSON.stringify(inputs)).join("\n");
  for (const secret of secretTexts) assert.ok(texts.includes(secret));
});
