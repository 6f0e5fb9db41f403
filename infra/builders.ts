import * as pulumi from "@pulumi/pulumi";
import { hostAnswer, parseAnswer } from "./answers.ts";
import { type BuilderConfig, builderSettings } from "./bootstrap.ts";
import { textFor } from "./bootstrap-text.ts";
import type { HostCommand } from "./host.ts";
import { type Machine, setUp } from "./machine.ts";
import type { Plan } from "./request.ts";

export interface BuildersArgs {
  readonly plan: Plan;
  /** The run of ready.sh on the build host: its answer has the key by which it reaches the builders. */
  readonly host: HostCommand;
  /** Where the stack makes them: one for each. Default: none. */
  readonly machines?: readonly Machine[] | undefined;
}

/** What is built waits for the answer's resources. None where there are no builders, or they are set up by hand. */
export function openBuilders(name: string, args: BuildersArgs): readonly pulumi.Resource[] {
  const { builders } = args.plan.config;
  if (builders.kind === "none" || builders.hosts.every(({ admin }) => admin === undefined)) return [];
  return new Builders(name, { ...args, builders: builders.hosts }).ready;
}

/** Machines to which the build host's Nix hands derivations: NAME-1-bootstrap and so on set them up. */
class Builders extends pulumi.ComponentResource {
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, { plan: { config }, host, builders, machines = [] }: BuildersArgs & { readonly builders: readonly BuilderConfig[] }) {
    super("comfyui:hosts:Builders", name);
    this.ready = builders.flatMap((builder, at) => {
      const { host: address, port, hostKey, privateKey, jump, admin } = builder;
      if (admin === undefined) return [];
      const text = host.answer.apply((answer) => {
        const { builderKey } = parseAnswer(hostAnswer, answer);
        return textFor(builderSettings(config, builder, builderKey === null ? [] : [builderKey]));
      });
      const machine = { host: address, port, hostKey, privateKey, jump, admin };
      return [setUp(`${name}-${at + 1}`, { machine, text }, machines[at], { parent: this })];
    });
    this.registerOutputs({});
  }
}
