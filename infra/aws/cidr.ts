/** IPv4 networks as AWS takes them: ADDRESS/PREFIX without bits behind the prefix. */
export interface Cidr {
  /** The address as a number. */
  readonly address: number;
  readonly prefix: number;
}

/** Nothing where the text is no IPv4 network; bits behind the prefix are left as they are. */
export function parseCidr(text: string): Cidr | undefined {
  const [, address = "", prefix = ""] = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(text) ?? [];
  const parts = address.split(".").map(Number);
  if (address === "" || parts.some((part) => part > 255) || Number(prefix) > 32) return undefined;
  return { address: parts.reduce((sum, part) => sum * 256 + part, 0), prefix: Number(prefix) };
}

/** Addresses in the network. */
export function sizeOf({ prefix }: Cidr): number {
  return 2 ** (32 - prefix);
}

/** The first address of the network; equal to `address` where no bits are behind the prefix. */
export function networkOf(cidr: Cidr): number {
  return cidr.address - (cidr.address % sizeOf(cidr));
}

export function formatCidr({ address, prefix }: Cidr): string {
  return `${[24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".")}/${prefix}`;
}

/** The network cut into equal parts, as many as asked for or the next power of two; the first `count` of them. */
export function subnetsOf(cidr: Cidr, count: number): Cidr[] {
  const prefix = cidr.prefix + Math.ceil(Math.log2(Math.max(count, 2)));
  return Array.from({ length: count }, (_, at) => ({ address: networkOf(cidr) + at * 2 ** (32 - prefix), prefix }));
}
