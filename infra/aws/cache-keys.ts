import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { CacheSecrets } from "../config/cache.ts";

export interface CacheKeysArgs {
  readonly secrets: CacheSecrets;
  /** As the stack's file has it, encrypted. */
  readonly signingKey: string;
  /** Whether `pulumi destroy` leaves the signing key. */
  readonly keep: boolean;
}

/** Days in which a signing key that was deleted can be had back (`aws secretsmanager restore-secret`). Its name is taken as long. */
const RECOVERY_DAYS = 7;

/**
 * The cache's keys in Secrets Manager, where the build host fetches them: infra/hosts/aws/cache-keys.sh. A host that takes the
 * place of another has them too. Cost: 0.40 USD a key and month.
 */
export class CacheKeys extends pulumi.ComponentResource {
  /** The secrets are there, and the one of the signing key has its value. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, { secrets, signingKey, keep }: CacheKeysArgs, options: pulumi.ComponentResourceOptions) {
    super("comfyui:aws:CacheKeys", name, {}, options);
    const parent = { parent: this };
    // What it signed is of use to those who know it alone, so it stays as long as the cache does.
    const signing = new aws.secretsmanager.Secret(`${name}-signing`, { name: secrets.signingKey, description: "signing key of the binary cache", recoveryWindowInDays: keep ? RECOVERY_DAYS : 0 }, { ...parent, protect: keep });
    const value = new aws.secretsmanager.SecretVersion(`${name}-signing-version`, { secretId: signing.id, secretString: pulumi.secret(signingKey) }, parent);
    // Its value is made on the build host: the private half is in no state. One that is lost is made anew.
    const push = secrets.pushKey === undefined ? [] : [new aws.secretsmanager.Secret(`${name}-push`, { name: secrets.pushKey, description: "SSH key that pushes to the binary cache", recoveryWindowInDays: 0 }, parent)];
    this.ready = [value, ...push];
    this.registerOutputs({});
  }
}
