import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { managedPolicyArn, type Place } from "./names.ts";
import { trustDocument } from "./policies.ts";

export interface SnapshotsArgs {
  readonly place: Place;
  /** How many of each disk. */
  readonly keep: number;
  readonly permissionsBoundary?: string | undefined;
}

/** Daily snapshots of the stack's disks for /nix, by Amazon Data Lifecycle Manager. Cost: 0.05 USD a GiB and month of what changed. */
export class Snapshots extends pulumi.ComponentResource {
  constructor(name: string, { place, keep, permissionsBoundary }: SnapshotsArgs, options: pulumi.ComponentResourceOptions) {
    super("comfyui:aws:Snapshots", name, {}, options);
    const parent = { parent: this };
    const boundary = permissionsBoundary === undefined ? {} : { permissionsBoundary };
    const role = new aws.iam.Role(`${name}-role`, { assumeRolePolicy: trustDocument("dlm"), description: `comfyui: snapshots of ${place.stack}`, ...boundary }, parent);
    new aws.iam.RolePolicyAttachment(`${name}-policy`, { role: role.name, policyArn: managedPolicyArn(place, "service-role/AWSDataLifecycleManagerServiceRole") }, parent);
    new aws.dlm.LifecyclePolicy(
      `${name}-daily`,
      {
        description: `comfyui ${place.stack} disks for nix`,
        executionRoleArn: role.arn,
        state: "ENABLED",
        policyDetails: {
          resourceTypes: ["VOLUME"],
          // DLM takes a disk that has any of these, so there is one that only this stack's have.
          targetTags: { "comfyui:snapshots": place.stack },
          schedules: [{ name: "daily", copyTags: true, createRule: { interval: 24, intervalUnit: "HOURS", times: "03:00" }, retainRule: { count: keep } }],
        },
      },
      parent,
    );
    this.registerOutputs({});
  }
}
