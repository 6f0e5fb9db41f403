/** The pure parts of the AWS plane: money, order, documents, user data. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { candidates } from "../../infra/aws/capacity.ts";
import { formatCidr, networkOf, parseCidr, sizeOf, subnetsOf } from "../../infra/aws/cidr.ts";
import { buildHostTypes, defaultAmi, leastStoreGiB } from "../../infra/aws/defaults.ts";
import { lifecyclePolicy, liveTag } from "../../infra/aws/ecr-lifecycle.ts";
import { estimate } from "../../infra/aws/estimate.ts";
import { instanceTypes } from "../../infra/aws/instance-types.ts";
import { keptText } from "../../infra/aws/kept.ts";
import { hostMetrics, sends } from "../../infra/aws/metrics.ts";
import { bucketArn, bucketName, bucketUrls, registryHost, repositoryArn, secretArn, secretName } from "../../infra/aws/names.ts";
import { cacheSecrets } from "../../infra/aws/cache-secrets.ts";
import { ACTIONS_WITHOUT_RESOURCE, permissions, policyDocument, pullDocument } from "../../infra/aws/policies.ts";
import { cloudConfig, USER_DATA_LIMIT, userDataBase64 } from "../../infra/aws/user-data.ts";
import { usesOfAws } from "../../infra/config/aws-parts.ts";
import { parseConfig, type StackConfig } from "../../infra/config.ts";
import { LOGIN_KEY, OWN_HOST, type Sections, signingKey, stackConfig } from "../support/aws-stacks.ts";

const place = { accountId: "123456789012", region: "us-east-1", stack: "team" };
const project = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

function estimateOf(sections: Sections) {
  const config = parseConfig({ ...sections }, { isSecret: () => true }) as StackConfig & { aws: NonNullable<StackConfig["aws"]> };
  const { aws, buildHost, builders, binaryCache, registry } = config;
  return estimate({
    aws,
    system: "x86_64-linux",
    buildHost: buildHost.kind === "ec2" ? buildHost : undefined,
    builders: builders.kind === "ec2" ? builders : undefined,
    cacheHost: binaryCache.kind === "nix-serve" && binaryCache.host.kind === "ec2" ? binaryCache.host : undefined,
    layers: 7,
    images: registry.kind === "ecr",
    bucket: usesOfAws(config).some((use) => use.endsWith("bucket")),
    secrets: cacheSecrets(place, config),
    keep: { cache: true },
  });
}

test("the team's estimate adds up, by hand", () => {
  const { costs, leastPerMonth, mostPerMonth, perBuildHour } = estimateOf(stackConfig("team"));
  const of = (what: string) => costs.find((cost) => cost.what.startsWith(what)) ?? assert.fail(what);
  assert.equal(of("build host, c7i.4xlarge, spot").perHour, 0.357);
  assert.deepEqual([of("build host, disk for /nix").perMonth, of("build host, disk for /nix").kept], [16, true]);
  assert.equal(of("build host, disk of the system").perMonth, 2.4);
  assert.equal(of("build host, address").perMonth, 4.05);
  assert.equal(of("cache host, t4g.small").perHour, 0.0168);
  assert.deepEqual([of("cache host, disk for /nix").perMonth, of("cache host, disk of the system").perMonth], [8, 0.8]);
  // 16 + 2.4 + 4.05 + 8 + 0.8 + 4.05 + 2 x 0.4 + 0.0168 x 730
  assert.deepEqual([leastPerMonth, perBuildHour, mostPerMonth], [48.364, 0.357, 308.974]);
});

test("a secret costs 0.40 a month; the signing key's stays, a push key's does not, and where there is no build host on EC2 there is none", () => {
  const secrets = (more: Sections) => estimateOf(stackConfig("team", more)).costs.filter(({ what }) => what.startsWith("cache, secret")).map(({ what, perMonth, kept }) => [what, perMonth, kept]);
  const [signing, push] = [["cache, secret of its signing key", 0.4, true], ["cache, secret of its push key", 0.4, false]];
  assert.deepEqual(secrets({}), [signing, push]);
  assert.deepEqual(secrets({ binaryCache: { kind: "s3", name: "team-1", signingKey, bucket: {} } }), [signing]);
  assert.deepEqual(secrets({ buildHost: OWN_HOST }), []);
});

test("what grows with use is told by the GiB", () => {
  assert.deepEqual(estimateOf(stackConfig("team")).perGiBMonth, { images: 0.1 });
  assert.deepEqual(estimateOf(stackConfig("team", { registry: { kind: "oci-directory", path: ".local/images" } })).perGiBMonth, {});
  assert.deepEqual(estimateOf(stackConfig("prod")).perGiBMonth, { images: 0.1, bucket: 0.023, snapshots: 0.05 });
});

test("destroy says what stays, what that costs, and how it is deleted", () => {
  const of = (stack: "team" | "prod", more: Partial<Parameters<typeof keptText>[0]>) => keptText({ place: { region: "us-east-1", stack }, estimate: estimateOf(stackConfig(stack)), repository: "comfyui", bucket: undefined, signingKey: "comfyui/team/cache-signing-key", snapshots: false, ...more });
  assert.equal(
    of("team", {}),
    `STAYS ON AWS                        USD A MONTH
build host, disk for /nix, 200 GiB        16.00
cache host, disk for /nix, 100 GiB         8.00
cache, secret of its signing key           0.40
images in the repository comfyui     0.10 a GiB
these together                            24.40
The next \`pulumi up\` uses them again.
To delete them too:
  aws ecr delete-repository --region us-east-1 --repository-name comfyui --force
  aws secretsmanager delete-secret --region us-east-1 --secret-id comfyui/team/cache-signing-key --force-delete-without-recovery
  pulumi state unprotect --all --stack team && pulumi destroy --stack team
`,
  );
  assert.match(of("prod", { snapshots: true }), /^snapshots of the disks +0\.05 a GiB$[^]*Name=tag:comfyui:stack,Values=prod/m);
  assert.match(of("prod", { bucket: "our-cache" }), /^the cache in the bucket our-cache +0\.023 a GiB$[^]*aws s3 rb --region us-east-1 --force s3:\/\/our-cache$/m);
  const nothing = { estimate: { costs: [] }, repository: undefined, signingKey: undefined };
  assert.equal(of("team", nothing), "Nothing of this stack stays on AWS.\n");
  assert.doesNotMatch(of("prod", { ...nothing, snapshots: true }), /unprotect|uses them again/);
});

test("builders cost what as many build hosts do, without a disk that lasts", () => {
  const { costs, perBuildHour } = estimateOf(stackConfig("team", { builders: { kind: "ec2", systems: ["x86_64-linux"], count: 3 } }));
  const builders = costs.filter(({ what }) => what.startsWith("3 x builder"));
  assert.deepEqual(builders.map(({ perHour, perMonth, kept }) => [perHour, perMonth, kept]), [[2.142, 0, false], [0, 36, false], [0, 12.15, false]]);
  assert.equal(perBuildHour, 2.499);
});

test("metrics cost by the hour in which they are sent: three a host, four a layer", () => {
  assert.equal(estimateOf(stackConfig("team")).costs.some(({ what }) => what.includes("metrics")), false);
  const { costs, leastPerMonth } = estimateOf(stackConfig("team", { aws: { metrics: true }, builders: { kind: "ec2", systems: ["x86_64-linux"], count: 2 } }));
  const { what, perHour, perMonth } = costs.find(({ what }) => what.includes("metrics")) ?? assert.fail();
  // 3 x 3 + 7 x 4, at 0.30 / 730
  assert.deepEqual([what, perHour, perMonth], ["37 metrics of hosts and layers, while they run", 0.0152, 0]);
  assert.equal(leastPerMonth, estimateOf(stackConfig("team", { builders: { kind: "ec2", systems: ["x86_64-linux"], count: 2 } })).leastPerMonth);
});

test("who sends what: the alarms' disk, and what those do that stop by themselves", () => {
  const [alarms, none] = [{ email: "ops@example.org" }, undefined];
  const of = (role: "build-host" | "cache-host" | "builder-1", metrics: boolean, given: typeof alarms | undefined) => hostMetrics({ alarms: given, metrics }, role);
  assert.deepEqual(of("build-host", true, alarms), { disk: true, work: true });
  assert.deepEqual(of("cache-host", true, alarms), { disk: true, work: false });
  assert.deepEqual(of("builder-1", true, alarms), { disk: false, work: true });
  assert.deepEqual(of("build-host", false, none), { disk: false, work: false });
  assert.equal(sends(of("builder-1", false, alarms)), false);
});

test("faster disks and alarms cost what the table says", () => {
  const plain = estimateOf(stackConfig("prod", { aws: { alarms: undefined } }));
  const watched = estimateOf(stackConfig("prod"));
  assert.equal(Math.round((watched.leastPerMonth - plain.leastPerMonth) * 100) / 100, 1); // two hosts: 2 x (2 x 0.10 + 0.30)
  // 400 GiB, 1000 IOPS and 375 MB/s beyond what is included.
  assert.equal(watched.costs.find(({ what }) => what === "build host, disk for /nix, 400 GiB")?.perMonth, 400 * 0.08 + 1000 * 0.005 + 375 * 0.04);
});

test("the table of instance types has a price, a size and a system for each, and the defaults are in it", () => {
  for (const [name, type] of instanceTypes) assert.ok(type.usdPerHour > 0 && type.vcpus > 0 && type.memGiB > 0, name);
  for (const system of ["x86_64-linux", "aarch64-linux"] as const) {
    for (const gpu of [false, true]) {
      for (const name of buildHostTypes({ gpu, types: undefined }, system)) {
        assert.deepEqual([instanceTypes.get(name)?.system, instanceTypes.get(name)?.gpu !== undefined], [system, gpu], name);
      }
      assert.equal(defaultAmi(system, gpu).kind, "parameter");
    }
  }
});

test("every flavor has a least size of its store", () => {
  const { flavors } = JSON.parse(project("layers/layers.json")) as { flavors: object };
  assert.deepEqual(Object.keys(leastStoreGiB).sort(), Object.keys(flavors).sort());
});

test("capacity is looked for type by type, and for each in zone after zone", () => {
  const subnets = [{ zone: "us-east-1a", id: "subnet-a" }, { zone: "us-east-1b", id: "subnet-b" }];
  const order = candidates(["g6.xlarge", "g5.xlarge"], subnets).map(({ type, zone, subnetId }) => `${type} ${zone} ${subnetId}`);
  assert.deepEqual(order, ["g6.xlarge us-east-1a subnet-a", "g6.xlarge us-east-1b subnet-b", "g5.xlarge us-east-1a subnet-a", "g5.xlarge us-east-1b subnet-b"]);
});

test("subnets lie in their network, have no address in common, and are as many as asked for", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 16, max: 24 }), fc.integer({ min: 1, max: 6 }), (part, prefix, count) => {
      const network = parseCidr(`10.${part}.0.0/${prefix}`) ?? assert.fail();
      const parts = subnetsOf(network, count);
      assert.equal(parts.length, count);
      for (const [at, each] of parts.entries()) {
        assert.equal(networkOf(each), each.address);
        assert.ok(each.address >= network.address && each.address + sizeOf(each) <= network.address + sizeOf(network));
        assert.ok(at === 0 || each.address === (parts[at - 1]?.address ?? 0) + sizeOf(each));
        assert.deepEqual(parseCidr(formatCidr(each)), each);
      }
    }),
  );
});

test("ECR keeps the live images and the promoted ones whatever their age, then the newest, and drops what has no tag", () => {
  const { rules } = JSON.parse(lifecyclePolicy(20)) as { rules: { rulePriority: number; selection: Record<string, unknown> }[] };
  assert.deepEqual(rules.map(({ rulePriority }) => rulePriority), [1, 2, 3, 4]);
  const [live, promoted, newest, untagged] = rules.map(({ selection }) => selection);
  assert.deepEqual(live, { tagStatus: "tagged", tagPatternList: ["live-*"], countType: "imageCountMoreThan", countNumber: 1000 });
  assert.match(liveTag("team"), /^live-/);
  assert.deepEqual(promoted, { tagStatus: "tagged", tagPatternList: ["stable*"], countType: "imageCountMoreThan", countNumber: 1000 });
  assert.deepEqual(newest, { tagStatus: "tagged", tagPatternList: ["*"], countType: "imageCountMoreThan", countNumber: 20 });
  assert.equal(untagged?.["tagStatus"], "untagged");
});

test("names and ARNs are those of AWS, in each of its partitions", () => {
  assert.equal(registryHost(place), "123456789012.dkr.ecr.us-east-1.amazonaws.com");
  assert.equal(registryHost({ ...place, region: "cn-north-1" }), "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn");
  assert.equal(repositoryArn(place, "comfyui"), "arn:aws:ecr:us-east-1:123456789012:repository/comfyui");
  assert.equal(secretArn(place, secretName(place, "build-host")), "arn:aws:secretsmanager:us-east-1:123456789012:secret:comfyui/team/build-host-??????");
  assert.equal(repositoryArn({ ...place, region: "us-gov-west-1" }, "comfyui"), "arn:aws-us-gov:ecr:us-gov-west-1:123456789012:repository/comfyui");
});

test("a bucket is named after account, region and stack, and never longer than S3 takes", () => {
  assert.equal(bucketName(place), "comfyui-123456789012-us-east-1-team");
  for (const stack of ["Team_1", "a".repeat(80), "-x"]) assert.match(bucketName({ ...place, region: "ap-northeast-1", stack }), /^comfyui-123456789012-ap-northeast-1-[0-9a-f]{12}$/);
  assert.ok(bucketName({ ...place, region: "ap-northeast-1", stack: "a".repeat(26) }).length <= 63);
  assert.equal(bucketArn({ region: "us-gov-west-1" }, "b"), "arn:aws-us-gov:s3:::b");
});

test("a bucket's addresses name the region, and the endpoint where Nix would take another partition's", () => {
  assert.deepEqual(bucketUrls({ region: "eu-central-1" }, "b", 60), { url: "s3://b?region=eu-central-1", readUrl: "https://b.s3.eu-central-1.amazonaws.com?priority=60" });
  assert.deepEqual(bucketUrls({ region: "cn-north-1" }, "b", 60), { url: "s3://b?region=cn-north-1&endpoint=s3.cn-north-1.amazonaws.com.cn", readUrl: "https://b.s3.cn-north-1.amazonaws.com.cn?priority=60" });
});

const everything = permissions({ place, role: "build-host", repository: "comfyui", bucket: "b", collects: true, secrets: { region: "us-east-1", signingKey: "s", pushKey: "p" }, metrics: true, sessions: true });

for (const { id, actions, resources, neededBy } of everything) {
  test(`the permission ${id} names its resource, and the line that needs it is there`, () => {
    assert.ok(project(neededBy.file).includes(neededBy.line), `${neededBy.line} is not in ${neededBy.file}`);
    for (const action of actions) {
      assert.match(action, /^[a-z0-9]+:[A-Z][A-Za-z]+$/, "one action, by its whole name");
      assert.equal(resources.includes("*"), ACTIONS_WITHOUT_RESOURCE.includes(action), `${action} on ${resources.join()}`);
    }
  });
}

test("a host has no permission that it does not use", () => {
  const ids = permissions({ place, role: "cache-host", metrics: false, sessions: false }).map(({ id }) => id);
  assert.deepEqual(ids, ["HostKey"]);
  const keys = permissions({ place, role: "build-host", secrets: { region: "us-east-1", signingKey: "s" }, metrics: false, sessions: false }).slice(1);
  assert.deepEqual(keys.map(({ actions, resources }) => [actions, resources]), [[["secretsmanager:GetSecretValue"], [secretArn(place, "s")]]]);
});

test("a build host deletes objects of a bucket that is the cache itself, and none of a mirror", () => {
  const deletes = (collects: boolean) => permissions({ place, role: "build-host", bucket: "b", collects, metrics: false, sessions: false }).filter(({ actions }) => actions.includes("s3:DeleteObject"));
  assert.deepEqual(deletes(true).map(({ resources }) => resources), [["arn:aws:s3:::b/*"]]);
  assert.deepEqual(deletes(false), []);
});

test("a build host reads the cache's keys, and writes none but the push key", () => {
  const of = (action: string) => everything.filter(({ actions }) => actions.includes(`secretsmanager:${action}`)).flatMap(({ resources }) => resources);
  assert.deepEqual(of("GetSecretValue"), [secretName(place, "build-host"), "s", "p"].map((name) => secretArn(place, name)));
  assert.deepEqual(of("PutSecretValue"), [secretArn(place, "p")]);
});

test("a policy document holds the permissions, and its conditions", () => {
  const { Version, Statement } = JSON.parse(policyDocument(everything)) as { Version: string; Statement: Record<string, unknown>[] };
  assert.equal(Version, "2012-10-17");
  assert.deepEqual(Statement.map(({ Sid }) => Sid), everything.map(({ id }) => id));
  assert.deepEqual(Statement.find(({ Sid }) => Sid === "Metrics")?.["Condition"], { StringEquals: { "cloudwatch:namespace": "comfyui/team" } });
});

test("nobody else may pull unless somebody is named", () => {
  assert.equal(pullDocument([]), undefined);
  const { Statement } = JSON.parse(pullDocument(["210987654321"]) ?? "") as { Statement: { Principal: unknown; Action: string[] }[] };
  assert.deepEqual(Statement[0]?.Principal, { AWS: ["210987654321"] });
  assert.ok(Statement[0]?.Action.every((action) => /Get|Check/.test(action)));
});

const boot = { region: "us-east-1", secret: "comfyui/team/build-host", authorizedKeys: [LOGIN_KEY] };

test("user data is small, the same for the same settings, and holds the script without its comments", () => {
  const packed = Buffer.from(userDataBase64(boot), "base64");
  assert.ok(packed.length < USER_DATA_LIMIT / 4, `${packed.length} bytes`);
  assert.equal(userDataBase64(boot), userDataBase64({ ...boot }));
  assert.equal(gunzipSync(packed).toString(), cloudConfig(boot));
  const { write_files, runcmd, bootcmd } = JSON.parse(cloudConfig(boot).replace("#cloud-config\n", ""));
  assert.match(write_files[0].content, /^#!\/usr\/bin\/env bash\nset -euo pipefail\n/);
  assert.doesNotMatch(write_files[0].content.slice(2), /^\s*#/m);
  assert.deepEqual(runcmd, [["bash", write_files[0].path, "us-east-1", "comfyui/team/build-host"]]);
  assert.ok(bootcmd[0].includes("ssh.service") && bootcmd[0].includes("mask"), "no SSH before its key is there");
});

test("user data that EC2 would not take is refused before", () => {
  const keys = Array.from({ length: 4000 }, (_, at) => `ssh-ed25519 ${Buffer.from(`${at}`.repeat(20)).toString("base64")}${Math.sin(at)}`);
  assert.throws(() => userDataBase64({ ...boot, authorizedKeys: keys }), /user data has \d+ bytes, EC2 takes 16384/);
});
