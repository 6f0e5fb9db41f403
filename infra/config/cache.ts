import { z } from "zod";
import { cacheBucket, ec2CacheHost } from "./aws.ts";
import { absolutePath, cacheName, cacheUrl, domainName, password, projectPath, publicKey, s3Url, signingKey, userName } from "./checked.ts";
import { login, volume } from "./hosts.ts";

/** What the caches have that hold more than one machine's layers. */
const shared = {
  /** What the cache is called in requests. Another name is another cache: re-runs all layers, as pushes. */
  name: cacheName,
  /**
   * The secret key that signs what is pushed: `npm run ops -- cache key NAME` makes one. Readers trust its public half.
   * Re-runs all layers, as pushes.
   */
  signingKey,
  /** Further public keys that readers trust, such as the one before the last change. Default: none. */
  trusted: z.array(publicKey).default([]),
  /**
   * What happens when the cache cannot be reached or a push fails. `fail`: the layer fails, and what is on it does not start.
   * `continue`: the layer is built all the same and its output says `cached: false`; the next
   * `up` that builds a layer or publishes pushes it. Default: fail.
   */
  onFailure: z.enum(["fail", "continue"]).default("fail"),
};

/** A bucket: one of `url` and `bucket`. */
const bucketPlace = {
  /** One that is there: s3://BUCKET?region=…, and endpoint=… where it is not AWS. Who may do what there is the affair of the build host's own credentials. */
  url: s3Url.optional(),
  /** One that the stack makes on AWS, for a build host there. */
  bucket: cacheBucket.optional(),
  /**
   * Folder of a Nix with support for S3 on the build host, with `bin/nix` in it. Default: the Nix of the nixpkgs that
   * layers/flake.lock pins, since Debian's has no such support. Used by a build host that is set up by its bootstrap; another one
   * uses the Nix on its PATH. Re-runs the bootstrap.
   */
  nixPath: absolutePath.optional(),
};

/** A folder of the build host, relative to the stack's folder there. Its signing key is made there. */
const directory = z.strictObject({ kind: z.literal("directory"), path: projectPath });

/** A machine of its own that serves its Nix store over HTTP. The build host pushes over SSH, as a user who can only do that. */
const nixServe = z.strictObject({
  kind: z.literal("nix-serve"),
  ...shared,
  /** The machine, Debian 13 or Ubuntu 24.04. It is none of those that build. `ec2`: one that the stack makes. */
  host: z.discriminatedUnion("kind", [z.strictObject({ kind: z.literal("ssh").optional(), ...login, volume }), ec2CacheHost]),
  /**
   * The program that serves. Default: harmonia, which on two cores answered 13 times as many lookups a second as nix-serve,
   * and 50 machines at once with 50 small paths each in 2 s instead of 130 s; a single large path is as fast with both.
   */
  server: z.enum(["nix-serve-ng", "nix-serve", "harmonia"]).default("harmonia"),
  /** The program's path on the machine. Default: the one of the nixpkgs that layers/flake.lock pins. */
  serverPath: absolutePath.optional(),
  /** A name that points to the machine: it is served by HTTPS then, with a certificate of its own. Default: none, plain HTTP. */
  domain: domainName.optional(),
  /** Where readers find it. Default: https://DOMAIN, or http://HOST; a port in it is the one that is listened on. */
  url: cacheUrl.optional(),
  /** What a reader must give, where not everybody may read. Default: nothing. */
  auth: z.strictObject({ user: userName, password }).optional(),
  /**
   * A bucket that gets everything that the cache gets, with the same signatures; the build host reads from it what the cache does
   * not give. One that is down stops no build: what it lacks is said, and pushed with the next layer or image. Default: none.
   * Re-runs no layer.
   */
  mirror: z.strictObject(bucketPlace).optional(),
});

/** A bucket, or what speaks its protocol. */
const s3 = z.strictObject({ kind: z.literal("s3"), ...shared, ...bucketPlace });

/** Where finished layers are kept, signed. Another kind re-runs all layers, as pushes. Default: the folder .local/cache. */
export const binaryCache = z.discriminatedUnion("kind", [directory, nixServe, s3]).default({ kind: "directory", path: ".local/cache" });

/** A bucket as the file says it. */
export type BucketPlace = Pick<z.output<typeof s3>, keyof typeof bucketPlace>;

/** A bucket that is there, or that the stack makes. */
export interface Bucket {
  /** By which it is written to: s3://… */
  readonly url: string;
  /** By which any Nix reads it, without credentials. None: it is read by `url` too. */
  readonly readUrl?: string;
  readonly nixPath?: string | undefined;
}

/** Secrets in AWS Secrets Manager from which the build host itself fetches the cache's keys, by its role. */
export interface CacheSecrets {
  readonly region: string;
  /** Name of the one that holds the signing key. */
  readonly signingKey: string;
  /** Name of the one for the key by which the host pushes over SSH, if it does: empty until the first host has made the key. */
  readonly pushKey?: string;
}

/** None: the signing key is handed to the build host with the request that opens the cache, and its push key stays there. */
interface WithSecrets {
  readonly secrets?: CacheSecrets | undefined;
}

type AnyNixServe = z.output<typeof nixServe>;

export interface NixServeConfig extends Omit<AnyNixServe, "host" | "mirror">, WithSecrets {
  readonly host: Exclude<AnyNixServe["host"], { kind: "ec2" }>;
  readonly mirror?: Bucket | undefined;
}

export type S3Config = Omit<z.output<typeof s3>, keyof typeof bucketPlace> & Bucket & WithSecrets;

type WithBucket<B> = { readonly kind: "directory" } | ({ readonly kind: "s3" } & B) | { readonly kind: "nix-serve"; readonly mirror?: B | undefined };

/** The bucket that the cache is, or that mirrors it. */
export function bucketOf<B = Bucket>(cache: WithBucket<B>): B | undefined {
  if (cache.kind === "s3") return cache;
  return cache.kind === "nix-serve" ? cache.mirror : undefined;
}

/** Where readers find it, without a slash at its end. */
export function readUrl({ url, domain, host }: Pick<NixServeConfig, "url" | "domain"> & { readonly host: { readonly host: string } }): string {
  const name = host.host.includes(":") ? `[${host.host}]` : host.host;
  return (url ?? (domain === undefined ? `http://${name}` : `https://${domain}`)).replace(/\/$/, "");
}
