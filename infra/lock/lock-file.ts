import { z } from "zod";
import { type Fault, FaultError } from "../faults.ts";
import { issueViews } from "../zod-faults.ts";

/** SHA-256 in SRI form (W3C Subresource Integrity), as Nix writes it. */
const sri = z.string().regex(/^sha256-[A-Za-z0-9+/]{43}=$/, "sha256-, then 32 bytes in base64");

export const systemName = z.enum(["x86_64-linux", "aarch64-linux"]);
export type System = z.output<typeof systemName>;

const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]*$/, "a plain file name");

/** How a distribution that comes as source becomes a wheel. */
export const buildSchema = z.strictObject({
  /** Environment of the build, such as a switch that leaves a CUDA extension out. */
  env: z.record(z.string(), z.string()).optional(),
  /** Requirements of the built wheel that are dropped from its metadata, by name: bounds that no longer hold. */
  relax: z.array(z.string()).optional(),
});

const common = {
  /** Normalized project name (PyPA, "Name normalization"). */
  name: z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "a normalized name"),
  version: z.string().min(1),
  /** Name of the file, and of its store path. */
  file: fileName,
  /** Of the file's bytes; of the unpacked tree (NAR) for a git revision. */
  hash: sri,
  /** Bytes of the download; absent where no index states it and nobody has downloaded it. */
  size: z.number().int().positive().optional(),
  /** The only system that uses it. Absent: every system. */
  system: systemName.optional(),
  build: buildSchema.optional(),
};

/** Where the bytes are, by the key that says so; an entry has exactly one of these. No host of a package index is ever named. */
export const originSchemas = {
  /** A file of a package index, found by its name. */
  index: z.strictObject({ index: z.literal("pypi"), ...common }),
  /** A file at an address of its own. */
  url: z.strictObject({ url: z.url({ protocol: /^https$/ }), ...common }),
  /** A revision of a git repository: a full commit id, and the tag or branch that an update follows. */
  git: z.strictObject({ git: z.string(), rev: z.string().regex(/^[0-9a-f]{40}$/, "40 hex digits"), ref: z.string().optional(), ...common }),
  /** A file that is put into the store by hand: `npm run setup -- --flavor F --file PATH`. */
  given: z.strictObject({ given: z.literal(true), ...common }),
} as const;

export type Origin = keyof typeof originSchemas;
export const origins = Object.keys(originSchemas) as readonly Origin[];

/** One of several schemas, chosen by the origin's key, so that a fault is the entry's own and not "fits none of four". */
export function byOrigin<T>(schemas: Readonly<Partial<Record<Origin, z.ZodType<T>>>>): z.ZodType<T> {
  const keys = origins.filter((origin) => schemas[origin] !== undefined);
  return z.unknown().transform((entry, context): T => {
    const [origin, ...more] = entry !== null && typeof entry === "object" ? keys.filter((key) => key in entry) : [];
    if (origin === undefined || more.length > 0) {
      context.addIssue({ code: "custom", message: `the entry says ${origin === undefined ? "nowhere" : "more than once"} where its bytes are`, params: { expected: `one of ${keys.join(", ")}` } });
      return z.NEVER;
    }
    const result = (schemas[origin] as z.ZodType<T>).safeParse(entry);
    for (const issue of result.error?.issues ?? []) context.issues.push({ ...issue, input: entry } as z.core.$ZodRawIssue);
    return result.success ? result.data : z.NEVER;
  });
}

export type LockedFile = { [O in Origin]: z.output<(typeof originSchemas)[O]> }[Origin];

/** layers/locks/FLAVOR/LAYER.lock.json, read by Nix too (layers/lib/files.nix). */
export const lockFile = z.strictObject({
  files: z.array(byOrigin<LockedFile>(originSchemas)),
});

export type LockFile = z.output<typeof lockFile>;

/** The one key that says where an entry's bytes are. */
export function originOf(entry: LockedFile): Origin {
  return origins.find((origin) => origin in entry) as Origin;
}

/** Parses a lock; throws one FaultError with all that is wrong. `where` names the file. */
export function parseLockFile(text: string, where: string): LockFile {
  const input = parseJson(text, where);
  const result = lockFile.safeParse(input);
  if (result.success) return result.data;
  throw new FaultError(issueViews(result.error, input).map(({ path, problem, found, expected }): Fault => {
    const [, at] = /^files\[(\d+)\]/.exec(path) ?? [];
    if (at === undefined) return { code: "LOCK_BROKEN", where: `${where}: ${path || "the whole file"}`, problem, found, expected, fix: `git restore ${where}` };
    const name = (input as { files: { name?: unknown }[] }).files[Number(at)]?.name;
    return { code: "LOCK_ENTRY", where: `${where}: ${path}${typeof name === "string" ? ` (${name})` : ""}`, problem, found, expected };
  }));
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FaultError([{ code: "LOCK_BROKEN", where, problem: "the lock is not whole JSON, as after a write that was cut off", found: (error as Error).message, fix: `git restore ${where}` }]);
  }
}

const keyOrder = ["index", "url", "git", "rev", "ref", "given", "name", "version", "file", "hash", "size", "system", "build"] as const;

/** An entry as one line, its keys in a fixed order: an unchanged entry is an unchanged line. */
function formatEntry(entry: LockedFile): string {
  const values = entry as Readonly<Record<string, unknown>>;
  const build = (value: unknown) => JSON.stringify(value).replaceAll(/(?<=[,:])(?=["[{])/g, " ");
  return `{${keyOrder.filter((key) => values[key] !== undefined).map((key) => `${JSON.stringify(key)}: ${key === "build" ? build(values[key]) : JSON.stringify(values[key])}`).join(", ")}}`;
}

const sortKey = ({ name, system }: LockedFile): string => `${name} ${system ?? ""}`;

/** The one written form of a lock: sorted by name, then system; one entry a line. */
export function formatLockFile({ files }: LockFile): string {
  const sorted = files.toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  return sorted.length === 0 ? '{\n  "files": []\n}\n' : `{\n  "files": [\n${sorted.map((entry) => `    ${formatEntry(entry)}`).join(",\n")}\n  ]\n}\n`;
}
