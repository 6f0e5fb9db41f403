/** The scripts that call AWS on the machine that runs pulumi, by the real AWS CLI, against a server that answers like AWS. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import * as pulumi from "@pulumi/pulumi";
import { waker } from "../../infra/aws/wake.ts";
import { askScript, failsWith, SHORT } from "../support/aws-scripts.ts";
import { AwsStandIn } from "../support/aws-stand-in.ts";
import { type Result, run } from "../support/process.ts";

let aws: AwsStandIn;
before(async () => {
  aws = await AwsStandIn.start();
});
after(() => aws.stop());

/** The script's answer; fails where it has none. */
async function answerOf(script: string, request: object): Promise<{ answer: Record<string, unknown>; said: string }> {
  const { code, stdout, stderr } = await ask(script, request);
  assert.equal(code, 0, stderr);
  return { answer: JSON.parse(stdout) as Record<string, unknown>, said: stderr };
}

function ask(script: string, request: object, env: Record<string, string> = {}): Promise<Result> {
  return askScript(aws, script, request, env);
}

/** A new instance of this type; answers its id. */
async function newInstance(type: string, ...more: string[]): Promise<string> {
  return (await aws.ask("ec2", "run-instances", "--image-id", "ami-12c6146b", "--instance-type", type, ...more, "--query", "Instances[0].InstanceId")) as string;
}

async function stateOf(instance: string): Promise<unknown> {
  return aws.ask("ec2", "describe-instances", "--instance-ids", instance, "--query", "Reservations[0].Instances[0].[State.Name, InstanceType]");
}

const tagged = (kind: string, tags: Record<string, string>) => ["--tag-specifications", `ResourceType=${kind},Tags=[${Object.entries(tags).map(([key, value]) => `{Key=${key},Value=${value}}`).join(",")}]`];

describe("wake.sh", () => {
  let instance: string;
  beforeEach(async () => {
    aws.rules([]);
    instance = await newInstance("c7i.4xlarge");
    await aws.ask("ec2", "stop-instances", "--instance-ids", instance);
  });
  const request = () => ({ instance, types: ["c7i.4xlarge", "m7i.4xlarge", "c7a.8xlarge"] });

  test("starts a host that has stopped, says so, and leaves one that runs alone", async () => {
    const { answer, said } = await answerOf("aws/wake", request());
    assert.deepEqual(answer, { started: true, type: "c7i.4xlarge" });
    assert.equal(said, `starting ${instance}, a c7i.4xlarge\n`);
    aws.rules([]);
    assert.deepEqual((await answerOf("aws/wake", request())).answer, { started: false, type: "c7i.4xlarge" });
    assert.equal(aws.calls().length, 1, "one look is all that a running host costs");
  });

  test("where there is no capacity the host becomes one of the next type", async () => {
    // Only the first start fails: with its type the host had been stopped.
    aws.rules([{ call: "start-instances", error: SHORT }]);
    await failsWith(ask("aws/wake", request()), "AWS_CAPACITY", "c7i.4xlarge m7i.4xlarge c7a.8xlarge", "no capacity for m7i.4xlarge now");
    assert.deepEqual(await stateOf(instance), ["stopped", "c7a.8xlarge"]);
    aws.rules([]);
    assert.deepEqual((await answerOf("aws/wake", request())).answer, { started: true, type: "c7a.8xlarge" });
    assert.deepEqual(await stateOf(instance), ["running", "c7a.8xlarge"]);
  });

  test("a spot host keeps its type", async () => {
    const spot = await newInstance("c7i.4xlarge", "--instance-market-options", "MarketType=spot,SpotOptions={SpotInstanceType=persistent,InstanceInterruptionBehavior=stop}");
    await aws.ask("ec2", "stop-instances", "--instance-ids", spot);
    aws.rules([{ call: "start-instances", error: SHORT }]);
    await failsWith(ask("aws/wake", { ...request(), instance: spot }), "AWS_CAPACITY", `found:    c7i.4xlarge\n`);
    assert.ok(!aws.calls().some((call) => call.includes("modify-instance-attribute")));
  });

  test("AWS_HOST_GONE: an instance that was terminated, or that is not there", async () => {
    await aws.ask("ec2", "terminate-instances", "--instance-ids", instance);
    await failsWith(ask("aws/wake", request()), "AWS_HOST_GONE", "terminated", "pulumi up --refresh");
    await failsWith(ask("aws/wake", { ...request(), instance: "i-00000000000000000" }), "AWS_HOST_GONE", "no such instance");
  });

  test("AWS_HOST_SLOW, AWS_CREDENTIALS, AWS_REQUEST: what AWS says is in the message", async () => {
    aws.rules([{ call: "^ec2 wait", error: "Timeout" }]);
    await failsWith(ask("aws/wake", request()), "AWS_HOST_SLOW", instance);
    aws.rules([{ call: "describe-instances", error: "AuthFailure" }]);
    await failsWith(ask("aws/wake", request()), "AWS_CREDENTIALS", "AuthFailure", "aws sso login");
    await aws.ask("ec2", "stop-instances", "--instance-ids", instance);
    aws.rules([{ call: "start-instances", error: "InternalError" }]);
    await failsWith(ask("aws/wake", request()), "AWS_REQUEST", "InternalError");
  });

  test("AWS_CREDENTIALS: a machine that has none", async () => {
    await failsWith(ask("aws/wake", request(), { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" }), "AWS_CREDENTIALS", "redentials");
  });

  test("AWS_CLI_MISSING: a machine without the CLI", async () => {
    const folder = join(aws.folder, "without");
    mkdirSync(folder);
    for (const tool of ["bash", "jq", "dirname", "mktemp", "rm"]) await run("ln", ["-s", (await run("bash", ["-c", `type -P ${tool}`])).stdout.trim(), join(folder, tool)]);
    await failsWith(ask("aws/wake", request(), { PATH: folder }), "AWS_CLI_MISSING", "https://aws.amazon.com/cli/");
  });
});

describe("the hook that wakes a host", () => {
  /** The environment is the process's own, as that of the program is. */
  async function waking(instance: string): Promise<void> {
    const own = { ...process.env };
    Object.assign(process.env, aws.env);
    try {
      await waker({ region: "us-east-1", instanceId: pulumi.output(instance), types: ["c7i.4xlarge"] })();
    } finally {
      process.env = own;
    }
  }

  test("starts it, and ends with the script's own message where it cannot", async () => {
    aws.rules([]);
    const instance = await newInstance("c7i.4xlarge");
    await aws.ask("ec2", "stop-instances", "--instance-ids", instance);
    aws.rules([{ call: "start-instances", error: SHORT }]);
    await assert.rejects(waking(instance), { message: new RegExp(`^error\\[AWS_CAPACITY\\]: AWS has no capacity for ${instance} in its zone now\n {2}found: {4}c7i.4xlarge\n {2}fix: .*$`) });
    aws.rules([]);
    await waking(instance);
    assert.deepEqual(await stateOf(instance), ["running", "c7i.4xlarge"]);
  });
});

describe("capacity.sh", () => {
  let stack = 0;
  let zones: Record<string, string>;
  before(async () => {
    const subnets = (await aws.ask("ec2", "describe-subnets", "--query", "Subnets[].[AvailabilityZone, SubnetId]")) as [string, string][];
    zones = Object.fromEntries(subnets);
  });
  beforeEach(() => {
    stack += 1;
    aws.rules([{ call: "create-capacity-reservation" }]);
  });
  const candidate = (type: string, zone: string) => ({ type, zone: `us-east-1${zone}`, subnetId: zones[`us-east-1${zone}`] });
  const all = () => [candidate("g6.xlarge", "a"), candidate("g6.xlarge", "b"), candidate("g5.xlarge", "a"), candidate("g5.xlarge", "b")];
  const request = (market = "on-demand") => ({ stack: `s${stack}`, role: "build-host", market, image: "resolve:ssm:/aws/service/debian/release/13/latest/amd64", candidates: all() });
  const holds = () => aws.calls().filter((call) => call.includes("create-capacity-reservation")).map((call) => /--instance-type (\S+) --availability-zone (\S+)/.exec(call)?.slice(1).join(" "));

  test("takes the best, and holds it for the instance that is made next", async () => {
    const { answer } = await answerOf("aws/capacity", request());
    assert.deepEqual(answer, all()[0]);
    const hold = aws.calls().find((call) => call.includes("create-capacity-reservation")) ?? assert.fail();
    assert.match(hold, /--instance-match-criteria open --end-date-type limited --end-date \d{4}-\d\d-\d\dT/, "it ends by itself");
  });

  test("goes on to the next zone, then to the next type", async () => {
    aws.rules([{ call: "create-capacity-reservation.*g6.xlarge.*us-east-1a", error: SHORT }, { call: "create-capacity-reservation.*g6.xlarge.*us-east-1b", error: "Unsupported" }, { call: "create-capacity-reservation" }]);
    const { answer, said } = await answerOf("aws/capacity", request());
    assert.deepEqual(answer, all()[2]);
    assert.deepEqual(holds(), ["g6.xlarge us-east-1a", "g6.xlarge us-east-1b", "g5.xlarge us-east-1a"]);
    assert.match(said, /g6.xlarge in us-east-1a: .*InsufficientInstanceCapacity/);
  });

  test("AWS_CAPACITY, AWS_QUOTA: nothing is left to try", async () => {
    aws.rules([{ call: "create-capacity-reservation", error: SHORT }]);
    await failsWith(ask("aws/capacity", request()), "AWS_CAPACITY", "g5.xlarge in us-east-1b", "list more types or zones");
    assert.equal(holds().length, 4);
    aws.rules([{ call: "create-capacity-reservation", error: "VcpuLimitExceeded" }]);
    await failsWith(ask("aws/capacity", request()), "AWS_QUOTA", "Service Quotas");
  });

  test("an error that is none of capacity ends the search", async () => {
    aws.rules([{ call: "create-capacity-reservation", error: "UnauthorizedOperation" }]);
    await failsWith(ask("aws/capacity", request()), "AWS_CREDENTIALS", "say whether it has capacity for g6.xlarge in us-east-1a");
    assert.equal(holds().length, 1);
  });

  test("a disk keeps its zone", async () => {
    const tags = { "comfyui:stack": `s${stack}`, "comfyui:role": "build-host", "comfyui:disk": "nix" };
    await aws.ask("ec2", "create-volume", "--availability-zone", "us-east-1b", "--size", "20", ...tagged("volume", tags));
    assert.deepEqual((await answerOf("aws/capacity", request())).answer, all()[1]);
    await failsWith(ask("aws/capacity", { ...request(), candidates: [candidate("g6.xlarge", "a")] }), "AWS_ZONE_FIXED", "us-east-1b", "expected: us-east-1a");
  });

  test("an instance keeps its type as long as it is listed", async () => {
    await newInstance("g5.xlarge", "--placement", "AvailabilityZone=us-east-1a", ...tagged("instance", { "comfyui:stack": `s${stack}`, "comfyui:role": "build-host" }));
    const { answer, said } = await answerOf("aws/capacity", request());
    assert.deepEqual(answer, all()[2]);
    assert.match(said, /g5.xlarge in us-east-1a is there already/);
    assert.deepEqual(holds(), []);
    const others = { ...request(), candidates: all().slice(0, 2) };
    assert.deepEqual((await answerOf("aws/capacity", others)).answer, all()[0]);
  });

  test("on the spot market a trial says whether there is capacity, and is ended at once", async () => {
    aws.rules([{ call: "run-instances.*g6.xlarge", error: SHORT }]);
    const { answer } = await answerOf("aws/capacity", request("spot"));
    assert.deepEqual(answer, all()[2]);
    const trials = (await aws.ask("ec2", "describe-instances", "--filters", "Name=tag:comfyui:trial,Values=capacity", "--query", "Reservations[].Instances[].State.Name")) as string[];
    assert.deepEqual(trials, ["terminated"]);
  });
});

describe("account.sh", () => {
  const region = "eu-central-1";
  const settings = async (...words: string[]) => aws.ask("s3api", ...words, "--bucket", "comfyui-state-123456789012-eu-central-1");

  test("makes the bucket and the key of an empty account, and nothing the second time", async () => {
    aws.rules([]);
    const { answer, said } = await answerOf("aws/account", { region });
    const bucket = "comfyui-state-123456789012-eu-central-1";
    assert.deepEqual(answer, { account: "123456789012", bucket, backend: `s3://${bucket}?region=${region}`, secretsProvider: `awskms://alias/comfyui-state?region=${region}` });
    assert.equal(said, `making the bucket ${bucket}\nmaking the key alias/comfyui-state\n`);
    assert.deepEqual(await settings("get-bucket-versioning"), { Status: "Enabled" });
    const { PublicAccessBlockConfiguration } = (await settings("get-public-access-block")) as { PublicAccessBlockConfiguration: Record<string, boolean> };
    assert.deepEqual(new Set(Object.values(PublicAccessBlockConfiguration)), new Set([true]));
    const again = await answerOf("aws/account", { region });
    assert.deepEqual([again.answer, again.said], [answer, ""]);
    const keys = (await aws.ask("kms", "list-aliases", "--region", region, "--query", "Aliases[?AliasName=='alias/comfyui-state'].TargetKeyId")) as string[];
    assert.equal(keys.length, 1);
    assert.deepEqual(await aws.ask("kms", "get-key-rotation-status", "--region", region, "--key-id", keys[0] as string, "--query", "KeyRotationEnabled"), true);
  });

  test("a bucket of somebody else's is not taken", async () => {
    aws.rules([{ call: "head-bucket", error: "403" }]);
    await failsWith(ask("aws/account", { region }), "AWS_REQUEST", "show the bucket", "403");
    assert.ok(!aws.calls().some((call) => call.includes("create-bucket")));
  });
});

describe("parameter.sh", () => {
  test("says which image a parameter names, or that there is none", async () => {
    aws.rules([]);
    const name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
    assert.match((await answerOf("aws/parameter", { name })).answer["id"] as string, /^ami-/);
    await failsWith(ask("aws/parameter", { name: "/aws/service/none" }), "AWS_REQUEST", "ParameterNotFound");
  });
});
