import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { AmiSource } from "./defaults.ts";

/** The AMI's id. A parameter's moves with every release: who uses it has to ignore its changes. */
export function imageId(source: AmiSource, options: pulumi.InvokeOptions): pulumi.Input<string> {
  // Its `value` is marked as a secret, which the id of a public image is not.
  return source.kind === "id" ? source.id : aws.ssm.getParameterOutput({ name: source.name }, options).insecureValue;
}

/** The same in the words of EC2's API, which looks the parameter up itself. */
export function imageReference(source: AmiSource): string {
  return source.kind === "id" ? source.id : `resolve:ssm:${source.name}`;
}
