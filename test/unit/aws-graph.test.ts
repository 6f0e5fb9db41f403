/** What a stack on AWS is made of: the whole graph of each stack, and what a change of its configuration changes. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { HOST_KEY } from "../support/aws-answers.ts";
import { awsProgram, graphText, ofType, resource } from "../support/aws-program.ts";
import { OWN_HOST, signingKey } from "../support/aws-stacks.ts";
import type { MockedProgram } from "../support/mocked-program.ts";

const programs = { team: await awsProgram("team"), prod: await awsProgram("prod") };

for (const [stack, program] of Object.entries(programs)) {
  test(`the graph of the stack ${stack} is the one on record (COMFYUI_RECORD=1 writes it anew)`, () => {
    const file = new URL(`../fixtures/aws-${stack}.txt`, import.meta.url);
    const text = graphText(program);
    if (process.env["COMFYUI_RECORD"] === "1") writeFileSync(file, text);
    assert.equal(text, readFileSync(file, "utf8"));
  });
}

const INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule";
const VOLUME = "aws:ebs/volume:Volume";
const SECRET = "aws:secretsmanager/secret:Secret";

test("nothing calls AWS in a program but the look for an image", () => {
  assert.deepEqual([...new Set(programs.prod.calls.map(({ token }) => token))], ["aws:ssm/getParameter:getParameter"]);
});

/** What decides whether a layer is built again, or a disk replaced. */
function lasting(program: MockedProgram): unknown {
  return program.resources
    .filter(({ name, type }) => /-layer\d-/.test(name) || type === VOLUME || name === "comfyui-publish-image" || name.endsWith("-address"))
    .map(({ name, inputs, replaceWith, deletedWith, dependsOn }) => ({ name, inputs, replaceWith, deletedWith, bound: dependsOn.filter((each) => each.endsWith("-instance")) }));
}

test("another image, another type and another size of the system leave layers, disks and addresses alone", async () => {
  const next = await awsProgram("team", { buildHost: { types: ["c7a.8xlarge"], ami: { kind: "id", id: "ami-0fedcba9876543210", user: "admin" }, rootGiB: 60 } }, { ami: "ami-0fedcba9876543210" });
  const name = "comfyui-build-host-ec2-instance";
  assert.notDeepEqual(resource(next, name).inputs["ami"], resource(programs.team, name).inputs["ami"]);
  assert.equal(resource(next, name).inputs["instanceType"], "c7a.8xlarge");
  assert.deepEqual(lasting(next), lasting(programs.team));
});

test("an image that moved is taken by no preview; one that is configured is", () => {
  assert.deepEqual(resource(programs.team, "comfyui-build-host-ec2-instance").ignoreChanges, ["userDataBase64", "ami"]);
});

test("a new instance gets its sources and keys again, and builds no layer for it", () => {
  const instance = "comfyui-build-host-ec2-instance";
  const bound = programs.team.resources.filter(({ replaceWith }) => replaceWith.includes(instance)).map(({ name }) => name);
  assert.deepEqual(bound.sort(), ["comfyui-build-host-bootstrap", "comfyui-build-host-instance", "comfyui-build-host-ready", "comfyui-build-host-sources", "comfyui-build-host-upload", "comfyui-cache", "comfyui-host"]);
});

test("the type and zone for which there is capacity are the instance's, and its disk is in that zone", async () => {
  const choose = (all: readonly { type: string; zone: string; subnetId: string }[]) => all.find(({ type, zone }) => type === "m7i.4xlarge" && zone === "us-east-1b") ?? all[0];
  const program = await awsProgram("team", {}, { choose });
  const { inputs } = resource(program, "comfyui-build-host-ec2-instance");
  assert.equal(inputs["instanceType"], "m7i.4xlarge");
  assert.equal(resource(program, "comfyui-build-host-ec2-nix").inputs["availabilityZone"], "us-east-1b");
  assert.match(inputs["subnetId"] as string, /^subnet-/);
});

test("a disk stays in its zone, and the instance with it, whatever is chosen", async () => {
  const { resources } = await awsProgram("team", {}, { diskZone: "us-east-1b" });
  const { inputs } = resource({ resources, calls: [] }, "comfyui-build-host-ec2-instance");
  const { inputs: others } = resource(programs.team, "comfyui-build-host-ec2-instance");
  assert.notEqual(inputs["subnetId"], others["subnetId"]);
  for (const volume of resources.filter(({ type }) => type === VOLUME)) assert.deepEqual(volume.ignoreChanges, ["availabilityZone"]);
});

test("the host key is pinned for every way to a host", () => {
  const connections = programs.team.resources.filter(({ type }) => type.startsWith("command:remote:")).map(({ inputs }) => inputs["connection"] as { secret: { hostKey: string; host: string } });
  assert.ok(connections.length > 10);
  for (const { secret } of connections) assert.equal(secret.hostKey, HOST_KEY.publicKey);
});

test("destroy: delete makes the disks and the images deletable, after an up", async () => {
  const program = await awsProgram("team", { destroy: { cache: "delete", image: "delete" } });
  assert.deepEqual(program.resources.filter(({ protect }) => protect).map(({ name }) => name), []);
  assert.equal(resource(program, "comfyui-registry-repository").inputs["forceDelete"], true);
});

test("builders on EC2: one for each system, let in from the build host, with nothing that lasts", async () => {
  const systems = ["x86_64-linux", "aarch64-linux"];
  const program = await awsProgram("team", { systems, builders: { kind: "ec2", systems, count: 1, market: { kind: "spot" } } });
  assert.ok(resource(program, "comfyui-aarch64-layer0-base").dependsOn.some((name) => name.startsWith("comfyui-builder-2-")), "what it builds for the further system");
  const types = [1, 2].map((number) => resource(program, `comfyui-builder-ec2-${number}-instance`).inputs["instanceType"]);
  assert.deepEqual(types, ["c7i.4xlarge", "c8g.4xlarge"]);
  assert.deepEqual(program.resources.filter(({ name, type }) => name.startsWith("comfyui-builder") && type === VOLUME), []);
  const open = ofType(program, INGRESS).filter(({ parent }) => parent?.startsWith("comfyui-builder-ec2-2")).map(({ inputs }) => `${inputs["fromPort"]} ${inputs["cidrIpv4"] ?? "the build host"}`);
  assert.deepEqual(open.sort(), ["22 203.0.113.7/32", "22 the build host"]);
  for (const name of ["comfyui-builder-1-bootstrap", "comfyui-builder-2-instance"]) assert.match(resource(program, name).replaceWith.join(), /^comfyui-builder-ec2-[12]-instance$/);
  const { secret } = resource(program, "comfyui-build-host-bootstrap").inputs["stdin"] as { secret: string };
  assert.match(secret, /"maxJobs":2,.*"systems":\["x86_64-linux"\].*"systems":\["aarch64-linux"\]/);
});

test("a VPC that is given is used, and none is made", async () => {
  const network = { kind: "existing", vpcId: "vpc-01234567", cidr: "10.20.0.0/16", subnets: [{ id: "subnet-01234567", zone: "c" }] };
  const program = await awsProgram("team", { aws: { network } });
  assert.deepEqual(program.resources.filter(({ name }) => name.startsWith("comfyui-network")).map(({ name }) => name), ["comfyui-network"]);
  assert.equal(resource(program, "comfyui-build-host-ec2-instance").inputs["subnetId"], "subnet-01234567");
});

test("a cache with a domain has its record, and opens HTTPS to readers and port 80 to the certificate's issuer", async () => {
  const program = await awsProgram("team", { aws: { openToWorld: true, cacheFrom: ["192.0.2.0/24"] }, binaryCache: { domain: "cache.example.org", host: { hostedZone: "example.org" } } });
  const { inputs } = resource(program, "comfyui-binary-cache-ec2-name");
  assert.deepEqual([inputs["name"], inputs["type"], inputs["zoneId"], inputs["records"]], ["cache.example.org", "A", "Z0123456789", ["198.51.100.20"]]);
  const open = ofType(program, INGRESS).filter(({ parent }) => parent?.startsWith("comfyui-binary-cache")).map(({ inputs }) => `${inputs["fromPort"]} ${inputs["cidrIpv4"] ?? "the build host"}`);
  assert.deepEqual(open.sort(), ["22 203.0.113.7/32", "22 the build host", "443 10.20.0.0/16", "443 192.0.2.0/24", "80 0.0.0.0/0"]);
});

test("sessions of Systems Manager: their five permissions for each host, and the agent of the pinned nixpkgs", async () => {
  const program = await awsProgram("team", { aws: { sessions: true }, builders: { kind: "ec2", systems: ["x86_64-linux"] } });
  const actions = (each: MockedProgram) => ofType(each, "aws:iam/rolePolicy:RolePolicy").map(({ inputs }) => (JSON.parse(inputs["policy"] as string) as { Statement: { Sid: string; Action: string[] }[] }).Statement.find(({ Sid }) => Sid === "Session")?.Action);
  const session = ["ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"];
  assert.deepEqual(actions(program), [session, session, session]);
  assert.deepEqual(actions(programs.team), [undefined, undefined]);
  const agents = program.resources.filter(({ name }) => name.endsWith("-instance") && name !== "comfyui-build-host-ec2-instance").flatMap(({ inputs }) => /"sessions":("[^"]*"|null)/.exec(JSON.stringify(inputs["stdin"] ?? "").replaceAll("\\", ""))?.[1] ?? []);
  assert.equal(agents.length, 3);
  for (const agent of agents) assert.match(agent, /^"github:NixOS\/nixpkgs\/[0-9a-f]{40}"$/);
});

test("a permissions boundary bounds each role, and no role is without one", async () => {
  const permissionsBoundary = "arn:aws:iam::123456789012:policy/bound";
  const roles = ofType(await awsProgram("prod", { aws: { permissionsBoundary } }), "aws:iam/role:Role");
  assert.deepEqual(roles.map(({ name }) => name).sort(), ["comfyui-binary-cache-ec2-role-role", "comfyui-build-host-ec2-role-role", "comfyui-snapshots-role"]);
  for (const { inputs } of roles) assert.equal(inputs["permissionsBoundary"], permissionsBoundary);
});

/** All that must be there before it: by what it depends on, and what that depends on. */
function before(program: MockedProgram, name: string, found = new Set<string>()): Set<string> {
  for (const each of resource(program, name).dependsOn.filter((each) => !found.has(each))) before(program, each, found.add(each));
  return found;
}

test("up goes from network to hosts, to what is set up on them, to layers, to the publish", () => {
  const order = ["network-vpc", "build-host-ec2-instance", "build-host-bootstrap", "host", "cache", "binary-cache-bootstrap", "layer0-base", "layer6-app", "publish-image"].map((each) => `comfyui-${each}`);
  for (const [at, name] of order.entries()) {
    const earlier = before(programs.prod, name);
    assert.deepEqual(order.slice(0, at).filter((each) => !earlier.has(each)), [], `${name} does not wait for these`);
  }
  assert.ok(before(programs.prod, "comfyui-publish-image").has("comfyui-registry-lifecycle"));
});

/** The request of a command on the build host. */
function requestOf(program: MockedProgram, name: string): Record<string, unknown> {
  const { stdin } = resource(program, name).inputs as { stdin: string | { secret: string } };
  return JSON.parse(typeof stdin === "string" ? stdin : stdin.secret) as Record<string, unknown>;
}

const bootstrapSettings = (program: MockedProgram) => {
  const { secret } = resource(program, "comfyui-build-host-bootstrap").inputs["stdin"] as { secret: string };
  return JSON.parse(/^SETTINGS=.*\n(.*)$/m.exec(secret)?.[1] ?? "") as { substituters: { url: string }[]; bucketNix: Record<string, unknown> | null };
};

test("prod's mirror: hosts read the bucket by HTTPS after the cache host, the scripts push to it with a Nix of their own; no layer's key has a word of it", async () => {
  const readUrl = "https://comfyui-123456789012-us-east-1-prod.s3.us-east-1.amazonaws.com?priority=60";
  const { cache } = requestOf(programs.prod, "comfyui-cache") as { cache: { mirror: unknown } };
  assert.deepEqual(cache.mirror, { url: "s3://comfyui-123456789012-us-east-1-prod?region=us-east-1", readUrl });
  const { substituters, bucketNix } = bootstrapSettings(programs.prod);
  assert.deepEqual(substituters.slice(0, 2).map(({ url }) => url), ["http://ec2-198-51-100-20.compute-1.amazonaws.com", readUrl]);
  assert.deepEqual([bucketNix?.["path"], bucketNix?.["daemon"]], [null, false]);
  assert.match(bucketNix?.["nixpkgs"] as string, /^github:NixOS\/nixpkgs\//);
  assert.ok(resource(programs.prod, "comfyui-cache").dependsOn.includes("comfyui-binary-cache-bucket-policy"));
  const without = await awsProgram("prod", { binaryCache: { mirror: undefined } });
  assert.deepEqual(lasting(without), lasting(programs.prod));
  assert.equal(bootstrapSettings(without).bucketNix, null);
  assert.ok(!("mirror" in (requestOf(without, "comfyui-cache")["cache"] as object)));
});

test("a bucket of the stack's as the cache: no cache host, and a name of one's own where one is given", async () => {
  const program = await awsProgram("team", { binaryCache: { kind: "s3", name: "team-1", signingKey, bucket: { name: "our-cache" } }, destroy: { cache: "delete" } });
  const { cache } = requestOf(program, "comfyui-cache") as { cache: Record<string, unknown> };
  assert.deepEqual([cache["kind"], cache["url"], cache["readUrl"]], ["s3", "s3://our-cache?region=us-east-1", "https://our-cache.s3.us-east-1.amazonaws.com?priority=50"]);
  assert.deepEqual(program.resources.filter(({ name }) => name.startsWith("comfyui-binary-cache-ec2")), []);
  const { inputs, protect } = resource(program, "comfyui-binary-cache-bucket-objects");
  assert.deepEqual([inputs["bucket"], inputs["forceDestroy"], protect], ["our-cache", true, false]);
  const policy = (from: typeof program) => resource(from, "comfyui-build-host-ec2-role-policy").inputs["policy"] as string;
  assert.deepEqual([program, programs.prod].map((each) => policy(each).includes("s3:DeleteObject")), [true, false]);
});

test("the build host gets names of secrets in place of the cache's keys, once they have values and its role may read them", async () => {
  const secrets = { region: "us-east-1", signingKey: "comfyui/team/cache-signing-key", pushKey: "comfyui/team/cache-push-key" };
  const { cache } = requestOf(programs.team, "comfyui-cache") as { cache: Record<string, unknown> };
  assert.deepEqual([cache["secrets"], "signingKey" in cache], [secrets, false]);
  assert.equal(typeof resource(programs.team, "comfyui-cache").inputs["stdin"], "string", "there is nothing to hide in it");
  const earlier = before(programs.team, "comfyui-cache");
  assert.deepEqual(["binary-cache-keys-signing-version", "binary-cache-keys-push", "build-host-ec2-role-policy"].filter((each) => !earlier.has(`comfyui-${each}`)), []);
  assert.deepEqual(resource(programs.team, "comfyui-binary-cache-keys-signing-version").inputs["secretString"], { secret: signingKey });
  const guarded = await awsProgram("team", { binaryCache: { auth: { user: "reader", password: "opensesame" } } });
  assert.ok("secret" in (resource(guarded, "comfyui-cache").inputs["stdin"] as object), "a password is still in the request");
  const bucket = await awsProgram("team", { binaryCache: { kind: "s3", name: "team-1", signingKey, bucket: {} } });
  assert.deepEqual((requestOf(bucket, "comfyui-cache") as { cache: Record<string, unknown> }).cache["secrets"], { region: "us-east-1", signingKey: secrets.signingKey });
  assert.deepEqual(lasting(guarded), lasting(programs.team));
});

test("a build host that is elsewhere has no role: it is handed the signing key, and no secret is made for it", async () => {
  const program = await awsProgram("team", { buildHost: OWN_HOST, registry: { kind: "oci-directory", path: ".local/images" } });
  const { cache } = requestOf(program, "comfyui-cache") as { cache: Record<string, unknown> };
  assert.deepEqual([cache["signingKey"], "secrets" in cache], [signingKey, false]);
  assert.deepEqual(ofType(program, SECRET).map(({ name }) => name), ["comfyui-binary-cache-ec2-key-secret"]);
});

test("destroy: delete leaves no key of the cache, and no name of one taken", async () => {
  const program = await awsProgram("team", { destroy: { cache: "delete" } });
  assert.deepEqual(ofType(program, SECRET).map(({ protect, inputs }) => [protect, inputs["recoveryWindowInDays"]]), [0, 0, 0, 0].map(() => [false, 0]));
});
