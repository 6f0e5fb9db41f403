/** What the configuration's defaults mean for a host: its types, its image, its disk. */
import type { Ec2BuildersConfig, Ec2BuildHostConfig, Ec2CacheHostConfig } from "../config/aws.ts";
import { instanceType } from "./instance-types.ts";

export type System = "x86_64-linux" | "aarch64-linux";

const buildTypes = {
  "x86_64-linux": { cpu: ["c7i.4xlarge", "c7i-flex.4xlarge", "m7i.4xlarge"], gpu: ["g6.2xlarge", "g5.2xlarge"] },
  "aarch64-linux": { cpu: ["c8g.4xlarge", "c7g.4xlarge"], gpu: ["g5g.2xlarge"] },
} as const satisfies Record<System, { cpu: readonly string[]; gpu: readonly string[] }>;

/** The ranked types of a build host, the best first. */
export function buildHostTypes({ types, gpu }: Pick<Ec2BuildHostConfig, "types" | "gpu">, system: System): readonly string[] {
  return types ?? buildTypes[system][gpu ? "gpu" : "cpu"];
}

/** The ranked types of a builder for one system. */
export function builderTypes({ types }: Pick<Ec2BuildersConfig, "types">, system: System): readonly string[] {
  return types?.filter((type) => instanceType(type).system === system) ?? buildTypes[system].cpu;
}

/** An AMI as the configuration names it, and the user that it comes with, who may become root. */
export type AmiSource = NonNullable<Ec2CacheHostConfig["ami"]>;

/** As the names of AMIs and their parameters say it. */
const architectures = {
  "x86_64-linux": { debian: "amd64", deepLearning: "x86_64", others: ["arm64", "aarch64"] },
  "aarch64-linux": { debian: "arm64", deepLearning: "arm64", others: ["amd64", "x86_64"] },
} as const satisfies Record<System, unknown>;

/** Debian's image, or AWS's Deep Learning base image, which has NVIDIA's driver (595 since April 2026; CUDA 13 wants 580). */
export function defaultAmi(system: System, gpu: boolean): AmiSource {
  const { debian, deepLearning } = architectures[system];
  return gpu
    ? { kind: "parameter", name: `/aws/service/deeplearning/ami/${deepLearning}/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id`, user: "ubuntu" }
    : { kind: "parameter", name: `/aws/service/debian/release/13/latest/${debian}`, user: "admin" };
}

/** Whether a parameter's name says that its AMI is for the other architecture. */
export function namesOtherSystem(parameter: string, system: System): boolean {
  return architectures[system].others.some((word) => parameter.includes(word));
}

export function rootGiB({ rootGiB: given, gpu }: Pick<Ec2BuildHostConfig, "rootGiB" | "gpu">): number {
  return given ?? (gpu ? 100 : 30);
}

/** GiB that Nix's store needs at least, by flavor: all layers of two versions, and what builds them. */
export const leastStoreGiB: Readonly<Record<string, number>> = { sample: 20, pypi: 20, cu130: 150 };

/** A cache host's system is that of its type. */
export function systemOf(type: string): System {
  return instanceType(type).system;
}
