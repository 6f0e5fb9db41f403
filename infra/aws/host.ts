import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { AwsConfig, Ec2BuildHostConfig } from "../config/aws.ts";
import type { CacheSecrets } from "../config/cache.ts";
import { Choice } from "./choice.ts";
import type { AmiSource } from "./defaults.ts";
import { Firewall, type Opening } from "./firewall.ts";
import { HostKey } from "./host-key.ts";
import { imageId, imageReference } from "./images.ts";
import { hostMetrics, sends } from "./metrics.ts";
import { type Place, type Role, roleTags, secretName } from "./names.ts";
import type { Network } from "./network.ts";
import { HostRole, type HostRoleArgs } from "./role.ts";
import { userDataBase64 } from "./user-data.ts";

export interface Ec2HostArgs {
  readonly place: Place;
  readonly role: Role;
  readonly config: AwsConfig;
  readonly network: Network;
  readonly openings: readonly Opening[];
  /** Ranked, the best first. */
  readonly types: readonly string[];
  readonly market: Ec2BuildHostConfig["market"];
  readonly ami: AmiSource;
  readonly rootGiB: number;
  /** Disk for /nix. None: the store is on the disk of the system. */
  readonly volume?: Ec2BuildHostConfig["volume"] | undefined;
  /** Whether `pulumi destroy` leaves the volume. */
  readonly keepVolume: boolean;
  /** What its role may do beside what every host's may: the repository that it publishes to. */
  readonly repository?: string | undefined;
  /** And the bucket of the stack's that it pushes to. */
  readonly bucket?: string | undefined;
  /** Whether that bucket is the cache itself; see RoleArgs. */
  readonly collects?: boolean | undefined;
  /** And the secrets of the cache that it opens. */
  readonly secrets?: CacheSecrets | undefined;
}

/**
 * A host on EC2 with a disk for /nix that outlives it, an address and a host key that stay, and nobody let in but by the
 * openings. Cost: the instance while it runs; disks (0.08 USD a GiB and month) and the address (3.65 USD a month) always.
 */
export class Ec2Host extends pulumi.ComponentResource {
  readonly instance: aws.ec2.Instance;
  /** The address that stays. */
  readonly address: pulumi.Output<string>;
  /** Its name: within the VPC it means the private address, elsewhere the public one. */
  readonly dnsName: pulumi.Output<string>;
  readonly groupId: pulumi.Output<string>;
  /** `TYPE BASE64`. */
  readonly hostKey: pulumi.Output<string>;
  /** Stable name of the disk for /nix, where it has one. */
  readonly device: pulumi.Output<string> | undefined;
  /** Once they are made, the host comes up. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: Ec2HostArgs, options: pulumi.ComponentResourceOptions) {
    super("comfyui:aws:Host", name, {}, options);
    const { place, role, network } = args;
    const parent = { parent: this };
    const key = new HostKey(`${name}-key`, { secretName: secretName(place, role) }, parent);
    const { chosen } = new Choice(`${name}-choice`, { place, role, market: args.market.kind, types: args.types, subnets: network.subnets, image: imageReference(args.ami) }, parent);
    this.groupId = new Firewall(`${name}-firewall`, { vpcId: network.vpcId, openings: args.openings }, parent).groupId;
    const volume = args.volume && this.#makeVolume(name, args, args.volume, chosen.zone);
    // By the disk's zone, which a preview knows also when the type is chosen anew.
    const subnetId = volume === undefined ? chosen.subnetId : subnetIn(network, volume.availabilityZone);
    const permitted = new HostRole(`${name}-role`, roleArgs(args), parent);
    this.instance = this.#makeInstance(name, args, { type: chosen.type, subnetId, key, profile: permitted.profile });
    const eip = new aws.ec2.Eip(`${name}-address`, { domain: "vpc", tags: roleTags(place, role) }, parent);
    const addressed = new aws.ec2.EipAssociation(`${name}-addressed`, { instanceId: this.instance.id, allocationId: eip.id }, parent);
    const attached = volume && this.#attach(name, volume);
    this.address = eip.publicIp;
    this.dnsName = eip.publicDns;
    this.hostKey = key.publicKey;
    // The kernel's own names (/dev/nvme1n1) change places.
    this.device = volume && pulumi.interpolate`/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${volume.id.apply((id) => id.replace("-", ""))}`;
    this.ready = [this.instance, addressed, permitted.ready, ...(attached ? [attached] : [])];
    this.registerOutputs({});
  }

  #makeVolume(name: string, { place, role, keepVolume }: Ec2HostArgs, { sizeGiB, iops, throughput }: Ec2BuildHostConfig["volume"], zone: pulumi.Input<string>): aws.ebs.Volume {
    return new aws.ebs.Volume(
      `${name}-nix`,
      { availabilityZone: zone, type: "gp3", size: sizeGiB, iops, throughput, encrypted: true, finalSnapshot: false, tags: { ...roleTags(place, role), "comfyui:disk": "nix", "comfyui:snapshots": place.stack } },
      // A disk stays in its zone; where the type is chosen anew, a preview cannot know that, and would replace it.
      { parent: this, protect: keepVolume, ignoreChanges: ["availabilityZone"] },
    );
  }

  #attach(name: string, volume: aws.ebs.Volume): aws.ec2.VolumeAttachment {
    return new aws.ec2.VolumeAttachment(
      `${name}-attached`,
      { instanceId: this.instance.id, volumeId: volume.id, deviceName: "/dev/sdf", stopInstanceBeforeDetaching: true },
      // A disk is attached to one instance at a time.
      { parent: this, deleteBeforeReplace: true },
    );
  }

  #makeInstance(name: string, args: Ec2HostArgs, { type, subnetId, key, profile }: Where): aws.ec2.Instance {
    const { place, role, config, market, ami } = args;
    const parent = { parent: this };
    // The provider tries for 50 minutes where capacity is short, unless its retries end before; so this one's do.
    const provider = new aws.Provider(`${name}-provider`, { region: place.region, allowedAccountIds: [place.accountId], maxRetries: 5, defaultTags: { tags: { ...config.tags, ...roleTags(place, role) } } }, parent);
    return new aws.ec2.Instance(
      `${name}-instance`,
      {
        ami: imageId(ami, parent),
        instanceType: type,
        subnetId,
        vpcSecurityGroupIds: [this.groupId],
        iamInstanceProfile: profile,
        metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
        instanceInitiatedShutdownBehavior: "stop",
        rootBlockDevice: { volumeType: "gp3", volumeSize: args.rootGiB, encrypted: true, deleteOnTermination: true, tags: { ...config.tags, ...roleTags(place, role) } },
        userDataBase64: userDataBase64({ region: place.region, secret: secretName(place, role), authorizedKeys: config.login.authorizedKeys }),
        ...spotOptions(market),
      },
      {
        ...parent,
        provider,
        dependsOn: [key.ready],
        // cloud-init reads user data once, so a change of it would stop the host for nothing; a parameter's AMI moves by itself.
        ignoreChanges: ["userDataBase64", ...(ami.kind === "parameter" ? ["ami"] : [])],
        // The provider takes no notice when an instance leaves the spot market.
        replacementTrigger: market.kind,
        // A spot request is for one type.
        replaceOnChanges: market.kind === "spot" ? ["instanceType"] : [],
      },
    );
  }
}

interface Where {
  readonly type: pulumi.Input<string>;
  readonly subnetId: pulumi.Input<string>;
  readonly key: HostKey;
  readonly profile: pulumi.Input<string>;
}

function roleArgs({ place, role, config, repository, bucket, collects, secrets }: Ec2HostArgs): HostRoleArgs {
  return { place, role, repository, bucket, collects, secrets, metrics: sends(hostMetrics(config, role)), sessions: config.sessions, permissionsBoundary: config.permissionsBoundary };
}

function subnetIn({ subnets }: Network, zone: pulumi.Output<string>): pulumi.Output<string> {
  return zone.apply((name): pulumi.Output<string> => {
    const found = subnets.find(({ zone }) => zone === name);
    if (found === undefined) throw new Error(`the disk lies in ${name}, which is no longer in comfyui:aws.network`);
    return pulumi.output(found.id);
  });
}

/** A persistent request with `stop`: the host comes back with its disks. Other spot instances are ended for ever. */
function spotOptions(market: Ec2BuildHostConfig["market"]): Pick<aws.ec2.InstanceArgs, "instanceMarketOptions"> {
  if (market.kind === "on-demand") return {};
  const { maxUsdPerHour } = market;
  const bound = maxUsdPerHour === undefined ? {} : { maxPrice: `${maxUsdPerHour}` };
  return { instanceMarketOptions: { marketType: "spot", spotOptions: { spotInstanceType: "persistent", instanceInterruptionBehavior: "stop", ...bound } } };
}
