/** Names and ARNs of what a stack makes on AWS: plain text, known before anything is made, so that policies can name it. */

/** What all of them start from. */
export interface Place {
  readonly accountId: string;
  readonly region: string;
  readonly stack: string;
}

export type Role = "build-host" | "cache-host" | `builder-${number}`;

const partitions: readonly (readonly [prefix: string, partition: string, domain: string])[] = [
  ["cn-", "aws-cn", "amazonaws.com.cn"],
  ["us-gov-", "aws-us-gov", "amazonaws.com"],
];

function partitionOf(region: string): { readonly partition: string; readonly domain: string } {
  const [, partition = "aws", domain = "amazonaws.com"] = partitions.find(([prefix]) => region.startsWith(prefix)) ?? [];
  return { partition, domain };
}

function arn({ accountId, region }: Place, service: string, rest: string): string {
  return `arn:${partitionOf(region).partition}:${service}:${region}:${accountId}:${rest}`;
}

/** A policy that AWS itself keeps. */
export function managedPolicyArn({ region }: Pick<Place, "region">, path: string): string {
  return `arn:${partitionOf(region).partition}:iam::aws:policy/${path}`;
}

export function secretName({ stack }: Place, role: Role): string {
  return `comfyui/${stack}/${role}`;
}

/** Secrets Manager puts a dash and six characters behind the name. */
export function secretArn(place: Place, role: Role): string {
  return arn(place, "secretsmanager", `secret:${secretName(place, role)}-??????`);
}

export function repositoryArn(place: Place, name: string): string {
  return arn(place, "ecr", `repository/${name}`);
}

/** The registry's host, which a login is for. */
export function registryHost({ accountId, region }: Place): string {
  return `${accountId}.dkr.ecr.${region}.${partitionOf(region).domain}`;
}

/** Namespace of a stack's own metrics in CloudWatch. */
export function metricNamespace({ stack }: Pick<Place, "stack">): string {
  return `comfyui/${stack}`;
}

/** Tags by which the scripts find what belongs to a stack. */
export function stackTags({ stack }: Pick<Place, "stack">): Readonly<Record<string, string>> {
  return { "comfyui:stack": stack };
}

export function roleTags(place: Pick<Place, "stack">, role: Role): Readonly<Record<string, string>> {
  return { ...stackTags(place), "comfyui:role": role, Name: `comfyui-${place.stack}-${role}` };
}
