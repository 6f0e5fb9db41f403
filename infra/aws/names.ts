/** Names, addresses and ARNs of what a stack makes on AWS: plain text, known before anything is made, so that policies can name it. */

import { hash } from "node:crypto";

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

/** What a secret of a stack holds: the SSH host key of a role's host, or a key of the cache. */
export type SecretOf = Role | "cache-signing-key" | "cache-push-key";

export function secretName({ stack }: Pick<Place, "stack">, of: SecretOf): string {
  return `comfyui/${stack}/${of}`;
}

/** Secrets Manager puts a dash and six characters behind the name. */
export function secretArn(place: Place, name: string): string {
  return arn(place, "secretsmanager", `secret:${name}-??????`);
}

export function repositoryArn(place: Place, name: string): string {
  return arn(place, "ecr", `repository/${name}`);
}

/** Longest part of a stack's name that is in its bucket's: S3 takes 63 characters in all. */
const LONGEST_STACK = 26;

/** Of a stack's bucket for its cache: one name in all the world. */
export function bucketName({ accountId, region, stack }: Place): string {
  const plain = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(stack) && stack.length <= LONGEST_STACK;
  return `comfyui-${accountId}-${region}-${plain ? stack : hash("sha256", stack, "hex").slice(0, 12)}`;
}

/** Buckets have one name in all regions and accounts, so their ARNs have neither. */
export function bucketArn({ region }: Pick<Place, "region">, bucket: string): string {
  return `arn:${partitionOf(region).partition}:s3:::${bucket}`;
}

/**
 * Where a bucket is: for Nix's own store for S3, and for whom it may be read without credentials. The region is what requests are
 * signed for. An endpoint stands there only where Nix would guess wrong: from version 2.33 on it knows one domain of AWS.
 * `priority`: as a substituter; that of public caches is 40, and the least is asked first.
 */
export function bucketUrls({ region }: Pick<Place, "region">, bucket: string, priority: number): { readonly url: string; readonly readUrl: string } {
  const { domain } = partitionOf(region);
  const endpoint = domain === "amazonaws.com" ? "" : `&endpoint=s3.${region}.${domain}`;
  return { url: `s3://${bucket}?region=${region}${endpoint}`, readUrl: `https://${bucket}.s3.${region}.${domain}?priority=${priority}` };
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
