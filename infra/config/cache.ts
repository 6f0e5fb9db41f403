import { z } from "zod";
import { ec2CacheHost } from "./aws.ts";
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
});

/** A bucket, or what speaks its protocol. Wants a Nix with support for S3 on the build host; its access comes from that host. */
const s3 = z.strictObject({ kind: z.literal("s3"), ...shared, /** s3://BUCKET?region=…, and endpoint=… where it is not AWS. */ url: s3Url });

/** Where finished layers are kept, signed. Another kind re-runs all layers, as pushes. Default: the folder .local/cache. */
export const binaryCache = z.discriminatedUnion("kind", [directory, nixServe, s3]).default({ kind: "directory", path: ".local/cache" });

type AnyNixServe = z.output<typeof nixServe>;

export interface NixServeConfig extends Omit<AnyNixServe, "host"> {
  readonly host: Exclude<AnyNixServe["host"], { kind: "ec2" }>;
}

/** Where readers find it, without a slash at its end. */
export function readUrl({ url, domain, host }: Pick<NixServeConfig, "url" | "domain"> & { readonly host: { readonly host: string } }): string {
  const name = host.host.includes(":") ? `[${host.host}]` : host.host;
  return (url ?? (domain === undefined ? `http://${name}` : `https://${domain}`)).replace(/\/$/, "");
}
