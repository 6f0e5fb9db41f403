/** What AWS and the machine that runs pulumi answer to the stacks' programs. */
import { hash } from "node:crypto";
import type { Answers } from "./mocked-program.ts";

/** Ids as AWS makes them: 17 hexadecimal digits. */
const idOf = (prefix: string, name: string) => `${prefix}-${hash("sha256", name, "hex").slice(0, 17)}`;
const made = (prefix: string) => ({ name }: { name: string }) => ({ id: idOf(prefix, name) });
const plain = () => ({});
const arn = ({ name }: { name: string }) => ({ state: { arn: `arn:aws:mock:::${name}`, name } });

export const HOST_KEY = { privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----\nthe host's own secret\n-----END OPENSSH PRIVATE KEY-----\n", publicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKjH2t3tStxajhuOlJszOQxdaJqa6pGHJcEo4fnS05sh" };

const remoteAnswers: Readonly<Record<string, string>> = {
  "comfyui-host": JSON.stringify({ nix: "nix (Nix) 2.26.3", system: "x86_64-linux", builderKey: null }),
  "comfyui-cache": JSON.stringify({ location: "http://cache.example", publicKey: "k", pushKey: "ssh-ed25519 PUSH" }),
  "comfyui-publish-image": JSON.stringify({ reference: "docker://registry.example/comfyui:tag", tag: "tag", digest: "sha256:0", size: 1, status: "published", sentBytes: 1, skippedBytes: 0, seconds: 1 }),
};

function layerAnswer(layer: string): string {
  return JSON.stringify({ layer, fingerprint: "f", storePath: "/nix/store/x", blobs: [], seconds: 1, built: 0, substituted: 0, reused: true, cached: true, startedAt: "", endedAt: "", log: "" });
}

export interface AwsAnswersOptions {
  /** Of every parameter. */
  readonly ami?: string;
  /** Zone of the disks that are there already. */
  readonly diskZone?: string;
  /** Which of the candidates there is capacity for. */
  readonly choose?: (candidates: readonly { readonly type: string; readonly zone: string; readonly subnetId: string }[]) => unknown;
}

export function awsAnswers({ ami = "ami-0123456789abcdef0", choose = ([first]) => first, diskZone }: AwsAnswersOptions = {}): Answers {
  const local = ({ name, inputs }: { readonly name: string; readonly inputs: Readonly<Record<string, unknown>> }) => {
    if (name.endsWith("-key-pair")) return { state: { stdout: JSON.stringify(HOST_KEY) } };
    if (name.endsWith("-capacity")) return { state: { stdout: JSON.stringify(choose(JSON.parse(inputs["stdin"] as string).candidates)) } };
    if (name === "comfyui-kept") return {};
    throw new Error(`nobody said what ${name} answers`);
  };
  return {
    resources: {
      "pulumi:providers:aws": plain,
      "pulumi:providers:docker": plain,
      "docker:index/remoteImage:RemoteImage": plain,
      "docker:index/container:Container": plain,
      "command:remote:Command": ({ name }) => ({ state: { stdout: remoteAnswers[name] ?? layerAnswer(name) } }),
      "command:remote:CopyToRemote": plain,
      "command:local:Command": local,
      "aws:ec2/vpc:Vpc": made("vpc"),
      "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": made("sg"),
      "aws:ec2/internetGateway:InternetGateway": made("igw"),
      "aws:ec2/routeTable:RouteTable": made("rtb"),
      "aws:ec2/route:Route": plain,
      "aws:ec2/vpcEndpoint:VpcEndpoint": made("vpce"),
      "aws:ec2/subnet:Subnet": made("subnet"),
      "aws:ec2/routeTableAssociation:RouteTableAssociation": plain,
      "aws:ec2/securityGroup:SecurityGroup": made("sg"),
      "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": made("sgr"),
      "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": made("sgr"),
      "aws:iam/role:Role": arn,
      "aws:iam/rolePolicy:RolePolicy": plain,
      "aws:iam/rolePolicyAttachment:RolePolicyAttachment": plain,
      "aws:iam/instanceProfile:InstanceProfile": arn,
      "aws:secretsmanager/secret:Secret": arn,
      "aws:secretsmanager/secretVersion:SecretVersion": plain,
      "aws:ebs/volume:Volume": ({ name }) => ({ id: idOf("vol", name), ...(diskZone !== undefined && { state: { availabilityZone: diskZone } }) }),
      "aws:ec2/instance:Instance": made("i"),
      "aws:ec2/eip:Eip": ({ name }) => ({ id: idOf("eipalloc", name), state: { publicIp: "198.51.100.20", publicDns: "ec2-198-51-100-20.compute-1.amazonaws.com" } }),
      "aws:ec2/eipAssociation:EipAssociation": plain,
      "aws:ec2/volumeAttachment:VolumeAttachment": plain,
      "aws:s3/bucket:Bucket": plain,
      "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": plain,
      "aws:s3/bucketOwnershipControls:BucketOwnershipControls": plain,
      "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": plain,
      "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": plain,
      "aws:s3/bucketPolicy:BucketPolicy": plain,
      "aws:ecr/repository:Repository": arn,
      "aws:ecr/lifecyclePolicy:LifecyclePolicy": plain,
      "aws:ecr/repositoryPolicy:RepositoryPolicy": plain,
      "aws:route53/record:Record": plain,
      "aws:sns/topic:Topic": arn,
      "aws:sns/topicSubscription:TopicSubscription": plain,
      "aws:cloudwatch/metricAlarm:MetricAlarm": plain,
      "aws:budgets/budget:Budget": plain,
      "aws:dlm/lifecyclePolicy:LifecyclePolicy": plain,
    },
    calls: {
      "aws:ssm/getParameter:getParameter": () => ({ value: ami, insecureValue: ami }),
      "aws:route53/getZone:getZone": () => ({ zoneId: "Z0123456789" }),
    },
  };
}
