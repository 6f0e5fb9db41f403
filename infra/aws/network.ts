import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { AwsConfig } from "../config/aws.ts";
import { formatCidr, parseCidr, subnetsOf } from "./cidr.ts";

export interface NetworkArgs {
  readonly config: AwsConfig["network"];
  readonly region: string;
}

/** A zone's subnet: its letter is in the configuration, `zone` is the whole name. */
export interface Subnet {
  readonly zone: string;
  readonly id: pulumi.Input<string>;
}

/**
 * Where the hosts are: a VPC of their own with a public subnet in each zone, or one that is given. Free of charge: what goes
 * to S3, so the blobs of ECR too, takes the gateway endpoint, and there is no NAT gateway.
 */
export class Network extends pulumi.ComponentResource {
  readonly vpcId: pulumi.Input<string>;
  readonly cidr: string;
  readonly subnets: readonly Subnet[];

  constructor(name: string, { config, region }: NetworkArgs, options: pulumi.ComponentResourceOptions) {
    super("comfyui:aws:Network", name, {}, options);
    this.cidr = config.cidr;
    if (config.kind === "existing") {
      this.vpcId = config.vpcId;
      this.subnets = config.subnets.map(({ id, zone }) => ({ id, zone: `${region}${zone}` }));
    } else {
      const parent = { parent: this };
      const vpc = new aws.ec2.Vpc(`${name}-vpc`, { cidrBlock: config.cidr, enableDnsHostnames: true, enableDnsSupport: true }, parent);
      // AWS makes it with the VPC, and it lets its members reach each other: nothing uses it, so it lets nothing through.
      new aws.ec2.DefaultSecurityGroup(`${name}-default`, { vpcId: vpc.id }, parent);
      const gateway = new aws.ec2.InternetGateway(`${name}-gateway`, { vpcId: vpc.id }, parent);
      const table = new aws.ec2.RouteTable(`${name}-routes`, { vpcId: vpc.id }, parent);
      new aws.ec2.Route(`${name}-way-out`, { routeTableId: table.id, destinationCidrBlock: "0.0.0.0/0", gatewayId: gateway.id }, parent);
      new aws.ec2.VpcEndpoint(`${name}-s3`, { vpcId: vpc.id, serviceName: `com.amazonaws.${region}.s3`, vpcEndpointType: "Gateway", routeTableIds: [table.id] }, parent);
      this.vpcId = vpc.id;
      this.subnets = this.#makeSubnets(name, { cidr: config.cidr, zones: config.zones.map((zone) => `${region}${zone}`), vpc, table });
    }
    this.registerOutputs({});
  }

  #makeSubnets(name: string, { cidr, zones, vpc, table }: { cidr: string; zones: readonly string[]; vpc: aws.ec2.Vpc; table: aws.ec2.RouteTable }): Subnet[] {
    const parsed = parseCidr(cidr);
    if (parsed === undefined) throw new Error(`${cidr} was checked by the configuration`);
    return subnetsOf(parsed, zones.length).map((part, at) => {
      const zone = zones[at] as string;
      // By the letter: a zone that is added or taken out leaves the other subnets' names alone.
      const subnet = new aws.ec2.Subnet(`${name}-${zone.slice(-1)}`, { vpcId: vpc.id, cidrBlock: formatCidr(part), availabilityZone: zone, mapPublicIpOnLaunch: false }, { parent: this });
      new aws.ec2.RouteTableAssociation(`${name}-${zone.slice(-1)}-routes`, { routeTableId: table.id, subnetId: subnet.id }, { parent: this });
      return { zone, id: subnet.id };
    });
  }
}
