import * as pulumi from "@pulumi/pulumi";
import { imageAnswer, type ImageAnswer, parseAnswer } from "./answers.ts";
import { growthNote } from "./growth-note.ts";
import type { Host } from "./host.ts";
import { imageTag, type Plan, publishRequest } from "./request.ts";

export interface PublishArgs {
  readonly host: Host;
  readonly plan: Plan;
  /** The commands of the layers that are blobs of the image: order only, the request names them by fingerprint. */
  readonly layers: readonly pulumi.Resource[];
  /** What the registry is made of, where the stack makes it; order only. */
  readonly registry: readonly pulumi.Resource[];
}

/** Puts the image together, or the index over those of several systems, and sends what the registry lacks, as NAME-image. */
export class Publish extends pulumi.ComponentResource {
  readonly answer: pulumi.Output<ImageAnswer>;

  constructor(name: string, { host, plan, layers, registry }: PublishArgs) {
    super("comfyui:image:Publish", name);
    const note = growthNote(imageTag(plan), plan.config.growth, process.env);
    const { answer } = host.run(`${name}-image`, { script: "publish-image", request: publishRequest(plan), note }, { parent: this, dependsOn: [...layers, ...registry] });
    this.answer = answer.apply((text) => parseAnswer(imageAnswer, text));
    this.registerOutputs({});
  }
}
