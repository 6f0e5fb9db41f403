import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

/** One port, and who may reach it: a network, or the hosts of another firewall. */
export type Opening = {
  /** What the port is for: a part of the rule's name and its description. */
  readonly what: string;
  readonly port: number;
} & ({ readonly cidr: string } | { readonly group: pulumi.Input<string> });

export interface FirewallArgs {
  readonly vpcId: pulumi.Input<string>;
  readonly openings: readonly Opening[];
}

/** Each opening by itself; nothing else comes in, and everything goes out. Free of charge. */
export class Firewall extends pulumi.ComponentResource {
  readonly groupId: pulumi.Output<string>;

  constructor(name: string, { vpcId, openings }: FirewallArgs, options: pulumi.ComponentResourceOptions) {
    super("comfyui:aws:Firewall", name, {}, options);
    const parent = { parent: this };
    const group = new aws.ec2.SecurityGroup(`${name}-group`, { vpcId, description: "comfyui: listed networks to listed ports" }, parent);
    for (const opening of openings) {
      const { what, port } = opening;
      // Named by what is opened to whom: a list's order means nothing.
      const rule = "cidr" in opening ? `${name}-${what}-${opening.cidr.replaceAll(/[./]/g, "-")}` : `${name}-${what}`;
      const from = "cidr" in opening ? { cidrIpv4: opening.cidr } : { referencedSecurityGroupId: opening.group };
      new aws.vpc.SecurityGroupIngressRule(rule, { securityGroupId: group.id, description: what, ipProtocol: "tcp", fromPort: port, toPort: port, ...from }, parent);
    }
    new aws.vpc.SecurityGroupEgressRule(`${name}-out`, { securityGroupId: group.id, description: "everything", ipProtocol: "-1", cidrIpv4: "0.0.0.0/0" }, parent);
    this.groupId = group.id;
    this.registerOutputs({});
  }
}
