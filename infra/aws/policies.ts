/** What the hosts' roles may do: each permission with the line that needs it, on the one resource that it is for. */
import type { Json } from "../canonical-json.ts";
import { metricNamespace, type Place, repositoryArn, type Role, secretArn } from "./names.ts";

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
  /** Whether it sends metrics. */
  readonly metrics: boolean;
  /** Whether Systems Manager may open sessions on it. */
  readonly sessions: boolean;
}

export function permissions({ place, role, repository, metrics, sessions }: RoleArgs): Permission[] {
  return [
    hostKeyPermission(place, role),
    ...(metrics ? [metricsPermission(place)] : []),
    ...(sessions ? [sessionPermission] : []),
    ...(repository === undefined ? [] : [loginPermission, pushPermission(place, repository), tagsPermission(place, repository)]),
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
    resources: [secretArn(place, role)],
    neededBy: { file: "infra/hosts/aws/first-boot.sh", line: "aws secretsmanager get-secret-value" },
  };
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
  neededBy: { file: "infra/hosts/bootstrap/instance.sh", line: "#amazon-ssm-agent" },
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

/** Who else may pull from the repository; nothing where nobody else may. */
export function pullDocument(principals: readonly string[]): string | undefined {
  if (principals.length === 0) return undefined;
  const statement = { Sid: "Pull", Effect: "Allow", Principal: { AWS: principals }, Action: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"] };
  return JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
}
