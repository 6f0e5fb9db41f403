import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { bucketDocument } from "./policies.ts";
import type { Place } from "./names.ts";

export interface CacheBucketArgs {
  readonly place: Place;
  /** Its name. */
  readonly bucket: string;
  /** Whose hosts may read it. */
  readonly vpcId: pulumi.Input<string>;
  /** Whether `pulumi destroy` leaves it. */
  readonly keep: boolean;
}

/**
 * A private bucket for a cache: never public, whatever a policy says; nothing without TLS; encrypted. Objects are named by what
 * is in them and never change, so old versions are not kept. Cost: 0.023 USD a GiB and month; what goes through the VPC's
 * gateway endpoint is free but for 5 USD a million writes.
 */
export class CacheBucket extends pulumi.ComponentResource {
  /** The bucket is there with all its rules. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, { place, bucket: bucketName, vpcId, keep }: CacheBucketArgs, options: pulumi.ComponentResourceOptions) {
    super("comfyui:aws:CacheBucket", name, {}, options);
    const parent = { parent: this };
    const { bucket } = new aws.s3.Bucket(`${name}-objects`, { bucket: bucketName, forceDestroy: !keep }, { ...parent, protect: keep });
    const block = new aws.s3.BucketPublicAccessBlock(`${name}-private`, { bucket, blockPublicAcls: true, blockPublicPolicy: true, ignorePublicAcls: true, restrictPublicBuckets: true }, parent);
    const encryption = new aws.s3.BucketServerSideEncryptionConfiguration(`${name}-encryption`, { bucket, rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }] }, parent);
    // Parts of uploads that were cut off cost as much as whole objects, and are not listed.
    const uploads = new aws.s3.BucketLifecycleConfiguration(`${name}-uploads`, { bucket, rules: [{ id: "uploads", status: "Enabled", filter: { prefix: "" }, abortIncompleteMultipartUpload: { daysAfterInitiation: 3 } }] }, parent);
    // One after the other, as S3 takes changes of who may do what; the policy after the block, which refuses one that would open it.
    const policy = new aws.s3.BucketPolicy(`${name}-policy`, { bucket, policy: pulumi.output(vpcId).apply((vpc) => bucketDocument(place, bucketName, vpc)) }, { ...parent, dependsOn: [block] });
    const owner = new aws.s3.BucketOwnershipControls(`${name}-owner`, { bucket, rule: { objectOwnership: "BucketOwnerEnforced" } }, { ...parent, dependsOn: [policy] });
    this.ready = [block, owner, encryption, uploads, policy];
    this.registerOutputs({});
  }
}
