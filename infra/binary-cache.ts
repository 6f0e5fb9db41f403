import * as pulumi from "@pulumi/pulumi";
import { cacheAnswer, parseAnswer } from "./answers.ts";
import { cacheSettings } from "./bootstrap.ts";
import { readNixpkgs, textFor } from "./bootstrap-text.ts";
import type { NixServeConfig } from "./config/cache.ts";
import type { HostCommand } from "./host.ts";
import { type Machine, setUp } from "./machine.ts";
import type { Plan } from "./request.ts";

export interface BinaryCacheArgs {
  readonly plan: Plan;
  /** The run of open-cache.sh on the build host, which makes the key by which it pushes. */
  readonly opened: HostCommand;
  /** Where the stack makes it. */
  readonly machine?: Machine | undefined;
}

/** What is pushed waits for the answer's resources. None where the cache is no machine, or one that is set up by hand. */
export function openBinaryCache(name: string, args: BinaryCacheArgs): readonly pulumi.Resource[] {
  const { binaryCache } = args.plan.config;
  if (binaryCache.kind !== "nix-serve" || binaryCache.host.admin === undefined) return [];
  return new BinaryCache(name, { ...args, config: binaryCache, admin: binaryCache.host.admin }).ready;
}

/** A cache that is a machine of its own: NAME-bootstrap sets it up. */
class BinaryCache extends pulumi.ComponentResource {
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, { opened, config, admin, machine }: BinaryCacheArgs & { readonly config: NixServeConfig; readonly admin: string }) {
    super("comfyui:hosts:BinaryCache", name);
    const { host, port, hostKey, privateKey, jump } = config.host;
    const nixpkgs = readNixpkgs();
    const text = opened.answer.apply((answer) => {
      const { pushKey } = parseAnswer(cacheAnswer, answer);
      return textFor(cacheSettings(config, { stack: pulumi.getStack(), pushKeys: pushKey === undefined ? [] : [pushKey], nixpkgs }));
    });
    this.ready = [setUp(name, { machine: { host, port, hostKey, privateKey, jump, admin }, text }, machine, { parent: this })];
    this.registerOutputs({});
  }
}
