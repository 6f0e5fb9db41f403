/** What a test wants to know of an ELF file (64 bits, little-endian): where its loader looks for libraries. */
import { readFileSync } from "node:fs";

const MAGIC = 0x464c457f;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const TAGS = new Map([[15n, "rpath"], [29n, "runpath"]] as const);
const DT_STRTAB = 5n;

/** DT_RPATH and DT_RUNPATH of a file, as far as it has them; nothing where it is no ELF file. */
export function searchPaths(file: string): { readonly rpath?: string; readonly runpath?: string } | undefined {
  const data = readFileSync(file);
  if (data.length < 64 || data.readUInt32LE(0) !== MAGIC) return undefined;
  const number = (at: number) => Number(data.readBigUInt64LE(at));
  const headers = Array.from({ length: data.readUInt16LE(56) }, (_, at) => number(32) + at * data.readUInt16LE(54));
  const segments = headers.map((at) => ({ type: data.readUInt32LE(at), offset: number(at + 8), address: number(at + 16), size: number(at + 32) }));
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) return {};
  const entries = Array.from({ length: dynamic.size / 16 }, (_, at) => dynamic.offset + at * 16).map((at) => [data.readBigInt64LE(at), number(at + 8)] as const);
  const address = entries.find(([tag]) => tag === DT_STRTAB)?.[1] ?? 0;
  const segment = segments.find((each) => each.type === PT_LOAD && each.address <= address && address < each.address + each.size);
  if (segment === undefined) throw new Error(`${file}: its strings lie in no segment`);
  const strings = address - segment.address + segment.offset;
  const text = (at: number) => data.toString("latin1", strings + at, data.indexOf(0, strings + at));
  return Object.fromEntries(entries.flatMap(([tag, value]) => (TAGS.has(tag as 15n) ? [[TAGS.get(tag as 15n), text(value)]] : [])));
}
