import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { EcrConfig } from "../config/aws.ts";
import { lifecyclePolicy, MOVING_TAGS } from "./ecr-lifecycle.ts";
import { pullDocument } from "./policies.ts";

export interface RegistryArgs {
  readonly config: EcrConfig;
  /** Whether `pulumi destroy` leaves the images. */
  readonly keep: boolean;
}

/**
 * The image's repository on Amazon ECR. Tags are fingerprints and never change, but for each stack's live tag and `stable`. No scan on push:
 * ECR's basic scanning refuses an image without a distribution's package list, as ours is; enhanced scanning (Amazon Inspector)
 * is a setting of the whole account. Cost: 0.10 USD a GiB and month; pulls in the region are free.
 */
export class Registry extends pulumi.ComponentResource {
  readonly repository: aws.ecr.Repository;
  /** The repository is there with all its rules. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, { config, keep }: RegistryArgs, options: pulumi.ComponentResourceOptions) {
    super("comfyui:aws:Registry", name, {}, options);
    const parent = { parent: this };
    this.repository = new aws.ecr.Repository(
      `${name}-repository`,
      {
        name: config.name,
        imageTagMutability: "IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters: MOVING_TAGS.map((filter) => ({ filter, filterType: "WILDCARD" })),
        imageScanningConfiguration: { scanOnPush: false },
        encryptionConfigurations: [{ encryptionType: "AES256" }],
        forceDelete: !keep,
      },
      { ...parent, protect: keep },
    );
    const repository = this.repository.name;
    const lifecycle = new aws.ecr.LifecyclePolicy(`${name}-lifecycle`, { repository, policy: lifecyclePolicy(config.keep) }, parent);
    const pull = pullDocument(config.pullFrom);
    this.ready = [lifecycle, ...(pull === undefined ? [] : [new aws.ecr.RepositoryPolicy(`${name}-pull`, { repository, policy: pull }, parent)])];
    this.registerOutputs({});
  }
}
