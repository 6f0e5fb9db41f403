import type { StackConfig } from "../config.ts";
import type { CacheSecrets } from "../config/cache.ts";
import { type Place, secretName } from "./names.ts";

/** Those of the cache's keys. A build host on EC2 fetches them by its role; another one has no role, and is handed the signing key. */
export function cacheSecrets(place: Pick<Place, "region" | "stack">, { buildHost, binaryCache }: Pick<StackConfig, "buildHost" | "binaryCache">): CacheSecrets | undefined {
  if (buildHost.kind !== "ec2" || binaryCache.kind === "directory") return undefined;
  return { region: place.region, signingKey: secretName(place, "cache-signing-key"), ...(binaryCache.kind === "nix-serve" && { pushKey: secretName(place, "cache-push-key") }) };
}
