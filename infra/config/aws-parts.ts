/** What of a stack is on AWS. */
import type { Config, StackConfig } from "../config.ts";
import type { Sections } from "./cross-faults.ts";
import type { AwsParts } from "./aws-faults.ts";
import { type BucketPlace, bucketOf } from "./cache.ts";

/** Paths of the values that ask for something on AWS; none where nothing does. */
export function usesOfAws({ buildHost, builders, binaryCache, registry }: Pick<Sections, "buildHost" | "builders" | "binaryCache" | "registry">): string[] {
  return [
    ...(buildHost?.kind === "ec2" ? ["buildHost.kind ec2"] : []),
    ...(builders?.kind === "ec2" ? ["builders.kind ec2"] : []),
    ...(binaryCache?.kind === "nix-serve" && binaryCache.host.kind === "ec2" ? ["binaryCache.host.kind ec2"] : []),
    ...[ownBucket(binaryCache)].filter((path) => path !== undefined),
    ...(registry?.kind === "ecr" ? ["registry.kind ecr"] : []),
  ];
}

/** The path of a bucket that the stack makes. */
function ownBucket(cache: Sections["binaryCache"]): string | undefined {
  if (cache === undefined || bucketOf<BucketPlace>(cache)?.bucket === undefined) return undefined;
  return cache.kind === "s3" ? "binaryCache.bucket" : "binaryCache.mirror.bucket";
}

/** `given`: whether comfyui:aws is there, right or wrong. */
export function awsParts(all: Sections, given: boolean): AwsParts {
  const { binaryCache } = all;
  const served = binaryCache?.kind === "nix-serve" ? binaryCache : undefined;
  return {
    aws: all.aws,
    given,
    flavor: all.flavor?.kind,
    system: all.systems?.[0],
    buildHost: all.buildHost?.kind === "ec2" ? all.buildHost : undefined,
    builders: all.builders?.kind === "ec2" ? all.builders : undefined,
    cacheHost: served?.host.kind === "ec2" ? served.host : undefined,
    domain: served?.domain,
    bucket: ownBucket(binaryCache),
    builtOn: all.buildHost?.kind,
    users: usesOfAws(all),
  };
}

/** The configuration of a stack that has nothing on AWS; another one is not known before its hosts are made. */
export function withoutAws(config: StackConfig): Config {
  const uses = usesOfAws(config);
  if (uses.length > 0) throw new Error(`on AWS: ${uses.join(", ")}`);
  return config as Config;
}
