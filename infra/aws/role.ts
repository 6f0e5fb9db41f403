import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { permissions, policyDocument, type RoleArgs, trustDocument } from "./policies.ts";

export interface HostRoleArgs extends RoleArgs {
  readonly permissionsBoundary?: string | undefined;
}

/** What an instance may do on AWS. Free of charge. */
export class HostRole extends pulumi.ComponentResource {
  readonly profile: pulumi.Output<string>;
  /** Once it is made, the instance may do what it is to do; the instance itself does not wait for it. */
  readonly ready: pulumi.Resource;

  constructor(name: string, { permissionsBoundary, ...args }: HostRoleArgs, options: pulumi.ComponentResourceOptions) {
    super("comfyui:aws:HostRole", name, {}, options);
    const parent = { parent: this };
    const boundary = permissionsBoundary === undefined ? {} : { permissionsBoundary };
    const role = new aws.iam.Role(`${name}-role`, { assumeRolePolicy: trustDocument("ec2"), description: `comfyui: ${args.role} of ${args.place.stack}`, ...boundary }, parent);
    this.ready = new aws.iam.RolePolicy(`${name}-policy`, { role: role.id, policy: policyDocument(permissions(args)) }, parent);
    this.profile = new aws.iam.InstanceProfile(`${name}-profile`, { role: role.name }, parent).name;
    this.registerOutputs({});
  }
}
