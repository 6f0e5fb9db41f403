/** What the hosts' roles may do: each permission with the line that needs it, on the one resource that it is for. */
import type { Json } from "../canonical-json.ts";
import type { CacheSecrets } from "../config/cache.ts";
import { bucketArn, metricNamespace, type Place, repositoryArn, type Role, secretArn, secretName } from "./names.ts";

/** Actions that belong together. */
export interface Permission {
  readonly id: string;
  readonly actions: readonly string[];
  /** `*` only where AWS knows no narrower one for these actions. */
  readonly resources: readonly string[];
  readonly condition?: { readonly [operator: string]: { readonly [key: string]: string } };
  /** Who needs it: a file of this project and words of the line in it. */
  readonly neededBy: { readonly file: string; readonly line: string };
}

/** The actions for which AWS has no resource (Service Authorization Reference). */
export const ACTIONS_WITHOUT_RESOURCE: readonly string[] = [
  "ecr:GetAuthorizationToken",
  "cloudwatch:PutMetricData",
  "ssm:UpdateInstanceInformation",
  "ssmmessages:CreateControlChannel",
  "ssmmessages:CreateDataChannel",
  "ssmmessages:OpenControlChannel",
  "ssmmessages:OpenDataChannel",
];

export interface RoleArgs {
  readonly place: Place;
  readonly role: Role;
  /** Name of the ECR repository that the host publishes to. */
  readonly repository?: string | undefined;
  /** The bucket of the stack's that the host pushes to. */
  readonly bucket?: string | undefined;
  /** Whether that bucket is the cache itself, in which the host also collects, and not a cache's mirror. */
  readonly collects?: boolean | undefined;
  /** Secrets of the cache's keys that the host opens the cache with. */
  readonly secrets?: CacheSecrets | undefined;
  /** Whether it sends metrics. */
  readonly metrics: boolean;
  /** Whether Systems Manager may open sessions on it. */
  readonly sessions: boolean;
}

export function permissions({ place, role, repository, bucket, collects = false, secrets, metrics, sessions }: RoleArgs): Permission[] {
  return [
    hostKeyPermission(place, role),
    ...(metrics ? [metricsPermission(place)] : []),
    ...(sessions ? [sessionPermission] : []),
    ...(repository === undefined ? [] : [loginPermission, pushPermission(place, repository), tagsPermission(place, repository)]),
    ...(bucket === undefined ? [] : bucketPermissions(place, bucket)),
    ...(bucket === undefined || !collects ? [] : [collectPermission(place, bucket)]),
    ...(secrets === undefined ? [] : cacheKeyPermissions(place, secrets)),
  ];
}

/** An IAM policy document. */
export function policyDocument(all: readonly Permission[]): string {
  const statements = all.map(({ id, actions, resources, condition }): Json => ({ Sid: id, Effect: "Allow", Action: actions, Resource: resources, ...(condition && { Condition: condition }) }));
  return JSON.stringify({ Version: "2012-10-17", Statement: statements });
}

/** Who may take a role: a service of AWS. */
export function trustDocument(service: "ec2" | "dlm"): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Principal: { Service: `${service}.amazonaws.com` }, Action: "sts:AssumeRole" }] });
}

function hostKeyPermission(place: Place, role: Role): Permission {
  return {
    id: "HostKey",
    actions: ["secretsmanager:GetSecretValue"],
    resources: [secretArn(place, secretName(place, role))],
    neededBy: { file: "infra/hosts/aws/first-boot.sh", line: "aws secretsmanager get-secret-value" },
  };
}

/** The push key is made on a host and written from there; the signing key is only read. */
function cacheKeyPermissions(place: Place, { signingKey, pushKey }: CacheSecrets): Permission[] {
  const file = "infra/hosts/aws/cache-keys.sh";
  const both = [signingKey, ...(pushKey === undefined ? [] : [pushKey])];
  const read = { id: "CacheKeys", actions: ["secretsmanager:GetSecretValue"], resources: both.map((name) => secretArn(place, name)), neededBy: { file, line: "secretsmanager get-secret-value" } };
  if (pushKey === undefined) return [read];
  return [read, { id: "PushKey", actions: ["secretsmanager:PutSecretValue"], resources: [secretArn(place, pushKey)], neededBy: { file, line: "secretsmanager put-secret-value" } }];
}

function metricsPermission(place: Place): Permission {
  return {
    id: "Metrics",
    actions: ["cloudwatch:PutMetricData"],
    resources: ["*"],
    condition: { StringEquals: { "cloudwatch:namespace": metricNamespace(place) } },
    neededBy: { file: "infra/hosts/aws/watch.sh", line: "aws cloudwatch put-metric-data" },
  };
}

/** What the agent calls for a session, the way in where SSH fails. AWS's own policy for it can also read every parameter of the account. */
const sessionPermission: Permission = {
  id: "Session",
  actions: ["ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"],
  resources: ["*"],
  neededBy: { file: "infra/hosts/bootstrap/instance.sh", line: 'from_nixpkgs "$nixpkgs" amazon-ssm-agent' },
};

const loginPermission: Permission = {
  id: "RegistryLogin",
  actions: ["ecr:GetAuthorizationToken"],
  resources: ["*"],
  neededBy: { file: "infra/hosts/bootstrap/instance.sh", line: "amazon-ecr-credential-helper" },
};

/** What a push with skopeo calls (ECR user guide, image-push-iam): HEAD and upload of blobs, PUT and GET of manifests. */
function pushPermission(place: Place, repository: string): Permission {
  return {
    id: "RegistryPush",
    actions: ["ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    resources: [repositoryArn(place, repository)],
    neededBy: { file: "infra/hosts/registry.sh", line: "skopeo --debug --insecure-policy copy" },
  };
}

/** For the history of a promoted tag. */
function tagsPermission(place: Place, repository: string): Permission {
  return { id: "RegistryTags", actions: ["ecr:ListImages"], resources: [repositoryArn(place, repository)], neededBy: { file: "infra/hosts/ops/tags.sh", line: "skopeo list-tags" } };
}

/** What Nix's store for S3 calls (Nix manual, S3 Binary Cache Store): HEAD, GET and PUT of objects, large ones in parts. It deletes nothing: see collectPermission. */
function bucketPermissions(place: Place, bucket: string): Permission[] {
  const neededBy = { file: "infra/hosts/cache-bucket.sh", line: "nix copy --stdin --to" };
  const arn = bucketArn(place, bucket);
  return [
    { id: "Bucket", actions: ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], resources: [arn], neededBy },
    { id: "BucketObjects", actions: ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"], resources: [`${arn}/*`], neededBy },
  ];
}

/** For `ops cache gc`, and for the locks that keep it and pushes apart. The bucket's versions, where it has them, are not deleted. */
function collectPermission(place: Place, bucket: string): Permission {
  return { id: "BucketCollect", actions: ["s3:DeleteObject"], resources: [`${bucketArn(place, bucket)}/*`], neededBy: { file: "infra/hosts/bucket-objects.sh", line: "s3api delete-objects" } };
}

/**
 * Who may do what with the bucket, whatever its role: nobody anything without TLS; whoever comes through the VPC's endpoint may
 * read, as from a cache host. S3 does not take that for public, since the VPC is a fixed one.
 */
export function bucketDocument(place: Pick<Place, "region">, bucket: string, vpcId: string): string {
  const arn = bucketArn(place, bucket);
  const all = [arn, `${arn}/*`];
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      { Sid: "Tls", Effect: "Deny", Principal: "*", Action: "s3:*", Resource: all, Condition: { Bool: { "aws:SecureTransport": "false" } } },
      { Sid: "Read", Effect: "Allow", Principal: "*", Action: ["s3:GetObject", "s3:ListBucket"], Resource: all, Condition: { StringEquals: { "aws:SourceVpc": vpcId } } },
    ],
  });
}

/** Who else may pull from the repository; nothing where nobody else may. */
export function pullDocument(principals: readonly string[]): string | undefined {
  if (principals.length === 0) return undefined;
  const statement = { Sid: "Pull", Effect: "Allow", Principal: { AWS: principals }, Action: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"] };
  return JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
}
