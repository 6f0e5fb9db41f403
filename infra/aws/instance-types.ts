/**
 * EC2 instance types that a host may have, with the price on demand for Linux in us-east-1, in USD an hour (table of
 * 2026-07-20). Types that are not here are refused: their architecture, GPU and price would be guesses.
 * `capability`: of the GPU, by CUDA's numbers. `count` 0: a part of one GPU, which wants a driver that no public AMI has.
 */
export interface InstanceType {
  readonly system: "x86_64-linux" | "aarch64-linux";
  readonly vcpus: number;
  readonly memGiB: number;
  readonly usdPerHour: number;
  readonly gpu?: { readonly name: string; readonly count: number; readonly memGiB: number; readonly capability: number };
}

/** CUDA 13 has no code for GPUs before Turing. */
export const LEAST_CAPABILITY = 7.5;

/** Families whose GPUs are older than that: named here only to say so. */
export const OLD_GPU_FAMILIES: Readonly<Record<string, string>> = { g2: "Kepler", g3: "Maxwell", g3s: "Maxwell", p2: "Kepler", p3: "Volta", p3dn: "Volta" };

const types: Readonly<Record<string, InstanceType>> = {
  "g4dn.xlarge": { system: "x86_64-linux", vcpus: 4, memGiB: 16, usdPerHour: 0.526, gpu: { name: "T4", count: 1, memGiB: 16, capability: 7.5 } },
  "g4dn.2xlarge": { system: "x86_64-linux", vcpus: 8, memGiB: 32, usdPerHour: 0.752, gpu: { name: "T4", count: 1, memGiB: 16, capability: 7.5 } },
  "g4dn.4xlarge": { system: "x86_64-linux", vcpus: 16, memGiB: 64, usdPerHour: 1.204, gpu: { name: "T4", count: 1, memGiB: 16, capability: 7.5 } },
  "g5.xlarge": { system: "x86_64-linux", vcpus: 4, memGiB: 16, usdPerHour: 1.006, gpu: { name: "A10G", count: 1, memGiB: 22.4, capability: 8.6 } },
  "g5.2xlarge": { system: "x86_64-linux", vcpus: 8, memGiB: 32, usdPerHour: 1.212, gpu: { name: "A10G", count: 1, memGiB: 22.4, capability: 8.6 } },
  "g5.4xlarge": { system: "x86_64-linux", vcpus: 16, memGiB: 64, usdPerHour: 1.624, gpu: { name: "A10G", count: 1, memGiB: 22.4, capability: 8.6 } },
  "g5.8xlarge": { system: "x86_64-linux", vcpus: 32, memGiB: 128, usdPerHour: 2.448, gpu: { name: "A10G", count: 1, memGiB: 22.4, capability: 8.6 } },
  "g5g.xlarge": { system: "aarch64-linux", vcpus: 4, memGiB: 8, usdPerHour: 0.42, gpu: { name: "T4g", count: 1, memGiB: 16, capability: 7.5 } },
  "g5g.2xlarge": { system: "aarch64-linux", vcpus: 8, memGiB: 16, usdPerHour: 0.556, gpu: { name: "T4g", count: 1, memGiB: 16, capability: 7.5 } },
  "g5g.4xlarge": { system: "aarch64-linux", vcpus: 16, memGiB: 32, usdPerHour: 0.828, gpu: { name: "T4g", count: 1, memGiB: 16, capability: 7.5 } },
  "g5g.8xlarge": { system: "aarch64-linux", vcpus: 32, memGiB: 64, usdPerHour: 1.372, gpu: { name: "T4g", count: 1, memGiB: 16, capability: 7.5 } },
  "g6.xlarge": { system: "x86_64-linux", vcpus: 4, memGiB: 16, usdPerHour: 0.8048, gpu: { name: "L4", count: 1, memGiB: 22.4, capability: 8.9 } },
  "g6.2xlarge": { system: "x86_64-linux", vcpus: 8, memGiB: 32, usdPerHour: 0.9776, gpu: { name: "L4", count: 1, memGiB: 22.4, capability: 8.9 } },
  "g6.4xlarge": { system: "x86_64-linux", vcpus: 16, memGiB: 64, usdPerHour: 1.3232, gpu: { name: "L4", count: 1, memGiB: 22.4, capability: 8.9 } },
  "g6.8xlarge": { system: "x86_64-linux", vcpus: 32, memGiB: 128, usdPerHour: 2.0144, gpu: { name: "L4", count: 1, memGiB: 22.4, capability: 8.9 } },
  "g6f.large": { system: "x86_64-linux", vcpus: 2, memGiB: 8, usdPerHour: 0.202, gpu: { name: "L4", count: 0, memGiB: 2.8, capability: 8.9 } },
  "g6f.xlarge": { system: "x86_64-linux", vcpus: 4, memGiB: 16, usdPerHour: 0.2375, gpu: { name: "L4", count: 0, memGiB: 2.8, capability: 8.9 } },
  "g6f.2xlarge": { system: "x86_64-linux", vcpus: 8, memGiB: 32, usdPerHour: 0.475, gpu: { name: "L4", count: 0, memGiB: 5.6, capability: 8.9 } },
  "g6f.4xlarge": { system: "x86_64-linux", vcpus: 16, memGiB: 64, usdPerHour: 0.95, gpu: { name: "L4", count: 0, memGiB: 11.2, capability: 8.9 } },
  "gr6.4xlarge": { system: "x86_64-linux", vcpus: 16, memGiB: 128, usdPerHour: 1.5392, gpu: { name: "L4", count: 1, memGiB: 22.4, capability: 8.9 } },
  "gr6.8xlarge": { system: "x86_64-linux", vcpus: 32, memGiB: 256, usdPerHour: 2.4464, gpu: { name: "L4", count: 1, memGiB: 22.4, capability: 8.9 } },
  "gr6f.4xlarge": { system: "x86_64-linux", vcpus: 16, memGiB: 128, usdPerHour: 1.066, gpu: { name: "L4", count: 0, memGiB: 11.2, capability: 8.9 } },
  "g6e.xlarge": { system: "x86_64-linux", vcpus: 4, memGiB: 32, usdPerHour: 1.861, gpu: { name: "L40S", count: 1, memGiB: 44.7, capability: 8.9 } },
  "g6e.2xlarge": { system: "x86_64-linux", vcpus: 8, memGiB: 64, usdPerHour: 2.24208, gpu: { name: "L40S", count: 1, memGiB: 44.7, capability: 8.9 } },
  "g6e.4xlarge": { system: "x86_64-linux", vcpus: 16, memGiB: 128, usdPerHour: 3.00424, gpu: { name: "L40S", count: 1, memGiB: 44.7, capability: 8.9 } },
  "g6e.8xlarge": { system: "x86_64-linux", vcpus: 32, memGiB: 256, usdPerHour: 4.52856, gpu: { name: "L40S", count: 1, memGiB: 44.7, capability: 8.9 } },
  "g7e.2xlarge": { system: "x86_64-linux", vcpus: 8, memGiB: 64, usdPerHour: 3.36312, gpu: { name: "RTX PRO Server 6000", count: 1, memGiB: 96, capability: 12.0 } },
  "g7e.4xlarge": { system: "x86_64-linux", vcpus: 16, memGiB: 128, usdPerHour: 3.99816, gpu: { name: "RTX PRO Server 6000", count: 1, memGiB: 96, capability: 12.0 } },
  "p4d.24xlarge": { system: "x86_64-linux", vcpus: 96, memGiB: 1152, usdPerHour: 21.9576, gpu: { name: "A100", count: 8, memGiB: 40, capability: 8.0 } },
  "p4de.24xlarge": { system: "x86_64-linux", vcpus: 96, memGiB: 1152, usdPerHour: 27.4471, gpu: { name: "A100", count: 8, memGiB: 80, capability: 8.0 } },
  "p5.4xlarge": { system: "x86_64-linux", vcpus: 16, memGiB: 256, usdPerHour: 6.88, gpu: { name: "H100", count: 1, memGiB: 80, capability: 9.0 } },
  "p5.48xlarge": { system: "x86_64-linux", vcpus: 192, memGiB: 2048, usdPerHour: 55.04, gpu: { name: "H100", count: 8, memGiB: 80, capability: 9.0 } },
  "p5en.48xlarge": { system: "x86_64-linux", vcpus: 192, memGiB: 2048, usdPerHour: 63.296, gpu: { name: "H200", count: 8, memGiB: 141, capability: 9.0 } },
  "p6-b200.48xlarge": { system: "x86_64-linux", vcpus: 192, memGiB: 2048, usdPerHour: 113.933, gpu: { name: "B200", count: 8, memGiB: 179.1, capability: 10.0 } },
  "t4g.nano": { system: "aarch64-linux", vcpus: 2, memGiB: 0.5, usdPerHour: 0.0042 },
  "t4g.micro": { system: "aarch64-linux", vcpus: 2, memGiB: 1, usdPerHour: 0.0084 },
  "t4g.small": { system: "aarch64-linux", vcpus: 2, memGiB: 2, usdPerHour: 0.0168 },
  "t4g.medium": { system: "aarch64-linux", vcpus: 2, memGiB: 4, usdPerHour: 0.0336 },
  "t4g.large": { system: "aarch64-linux", vcpus: 2, memGiB: 8, usdPerHour: 0.0672 },
  "t3a.micro": { system: "x86_64-linux", vcpus: 2, memGiB: 1, usdPerHour: 0.0094 },
  "t3a.small": { system: "x86_64-linux", vcpus: 2, memGiB: 2, usdPerHour: 0.0188 },
  "t3a.medium": { system: "x86_64-linux", vcpus: 2, memGiB: 4, usdPerHour: 0.0376 },
  "t3a.large": { system: "x86_64-linux", vcpus: 2, memGiB: 8, usdPerHour: 0.0752 },
  "t3.small": { system: "x86_64-linux", vcpus: 2, memGiB: 2, usdPerHour: 0.0208 },
  "m7g.medium": { system: "aarch64-linux", vcpus: 1, memGiB: 4, usdPerHour: 0.0408 },
  "m7g.large": { system: "aarch64-linux", vcpus: 2, memGiB: 8, usdPerHour: 0.0816 },
  "c7gn.medium": { system: "aarch64-linux", vcpus: 1, memGiB: 2, usdPerHour: 0.0624 },
  "im4gn.large": { system: "aarch64-linux", vcpus: 2, memGiB: 8, usdPerHour: 0.1819 },
  "i4g.large": { system: "aarch64-linux", vcpus: 2, memGiB: 16, usdPerHour: 0.15444 },
  "i8g.large": { system: "aarch64-linux", vcpus: 2, memGiB: 16, usdPerHour: 0.1716 },
  "c7g.4xlarge": { system: "aarch64-linux", vcpus: 16, memGiB: 32, usdPerHour: 0.58 },
  "c7g.8xlarge": { system: "aarch64-linux", vcpus: 32, memGiB: 64, usdPerHour: 1.16 },
  "c7g.16xlarge": { system: "aarch64-linux", vcpus: 64, memGiB: 128, usdPerHour: 2.32 },
  "c8g.4xlarge": { system: "aarch64-linux", vcpus: 16, memGiB: 32, usdPerHour: 0.63808 },
  "c8g.8xlarge": { system: "aarch64-linux", vcpus: 32, memGiB: 64, usdPerHour: 1.27616 },
  "c8g.16xlarge": { system: "aarch64-linux", vcpus: 64, memGiB: 128, usdPerHour: 2.55232 },
  "c7i.4xlarge": { system: "x86_64-linux", vcpus: 16, memGiB: 32, usdPerHour: 0.714 },
  "c7i.8xlarge": { system: "x86_64-linux", vcpus: 32, memGiB: 64, usdPerHour: 1.428 },
  "c7i.16xlarge": { system: "x86_64-linux", vcpus: 64, memGiB: 128, usdPerHour: 2.856 },
  "c7i-flex.4xlarge": { system: "x86_64-linux", vcpus: 16, memGiB: 32, usdPerHour: 0.6783 },
  "c7i-flex.8xlarge": { system: "x86_64-linux", vcpus: 32, memGiB: 64, usdPerHour: 1.3566 },
  "c7a.8xlarge": { system: "x86_64-linux", vcpus: 32, memGiB: 64, usdPerHour: 1.64224 },
  "c8i.8xlarge": { system: "x86_64-linux", vcpus: 32, memGiB: 64, usdPerHour: 1.49936 },
  "m7i.4xlarge": { system: "x86_64-linux", vcpus: 16, memGiB: 64, usdPerHour: 0.8064 },
};

export const instanceTypes: ReadonlyMap<string, InstanceType> = new Map(Object.entries(types));

/** The type of the table; the configuration has checked that it is there. */
export function instanceType(name: string): InstanceType {
  const found = instanceTypes.get(name);
  if (found === undefined) throw new Error(`${name} is no instance type of the table`);
  return found;
}

/** `g6` of `g6.xlarge`. */
export function familyOf(name: string): string {
  return name.split(".")[0] as string;
}
