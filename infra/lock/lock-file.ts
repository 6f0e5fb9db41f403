import { z } from "zod";

/** SHA-256 in SRI form (W3C Subresource Integrity), as Nix writes it. */
const sri = z.string().regex(/^sha256-[A-Za-z0-9+/]{43}=$/, "sha256-, then 32 bytes in base64");
const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]*$/, "a plain file name");

/** How a distribution that comes as source becomes a wheel. */
const buildSchema = z.strictObject({
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
  system: z.enum(["x86_64-linux", "aarch64-linux"]).optional(),
  build: buildSchema.optional(),
};

/** Where the bytes are: exactly one of these. No host of a package index is ever named. */
const originSchemas = [
  /** A file of a package index, found by its name. */
  z.strictObject({ ...common, index: z.literal("pypi") }),
  /** A file at an address of its own. */
  z.strictObject({ ...common, url: z.url({ protocol: /^https$/ }) }),
  /** A revision of a git repository: a full commit id, and the tag or branch that an update follows. */
  z.strictObject({ ...common, git: z.string(), rev: z.string().regex(/^[0-9a-f]{40}$/, "40 hex digits"), ref: z.string().optional() }),
  /** A file that is put into the store by hand: `npm run setup -- --flavor F --file PATH`. */
  z.strictObject({ ...common, given: z.literal(true) }),
] as const;

export const lockedFile = z.union(originSchemas);

/** layers/locks/FLAVOR/LAYER.lock.json, read by Nix too (layers/lib/files.nix). */
export const lockFile = z.strictObject({
  files: z.array(lockedFile),
});

export type LockedFile = z.output<typeof lockedFile>;
export type LockFile = z.output<typeof lockFile>;
