import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { parseAnswer } from "../answers.ts";
import { canonicalJson, type Json } from "../canonical-json.ts";
import { protocol } from "../request.ts";
import { candidates } from "./capacity.ts";
import type { Place, Role } from "./names.ts";
import type { Subnet } from "./network.ts";

const choiceAnswer = z.object({ type: z.string(), zone: z.string(), subnetId: z.string() });

export interface ChoiceArgs {
  readonly place: Place;
  readonly role: Role;
  readonly market: "on-demand" | "spot";
  readonly types: readonly string[];
  readonly subnets: readonly Subnet[];
  /** Of a trial on the spot market: an id, or the name of what names one, so that it does not change by itself. */
  readonly image: string;
}

/**
 * Type and zone of an instance, by capacity.sh on the machine that runs pulumi: kept in the state, and chosen again when the
 * lists change. The provider itself would try one type in one zone for 50 minutes.
 */
export class Choice extends pulumi.ComponentResource {
  readonly chosen: pulumi.Output<z.output<typeof choiceAnswer>>;

  constructor(name: string, { place: { region, stack }, role, market, types, subnets, image }: ChoiceArgs, options: pulumi.ComponentResourceOptions) {
    super("comfyui:aws:Choice", name, {}, options);
    const request = pulumi.all(subnets.map(({ id }) => id)).apply((ids) => {
      const tried = candidates(types, subnets.map(({ zone }, at) => ({ zone, id: ids[at] as string })));
      return canonicalJson({ protocol, region, stack, role, market, image, candidates: tried.map((each): Json => ({ ...each })) });
    });
    const made = new command.local.Command(
      `${name}-capacity`,
      { create: "exec bash hosts/aws/capacity.sh", stdin: request, addPreviousOutputInEnv: false, logging: command.local.Logging.Stderr },
      { parent: this },
    );
    this.chosen = made.stdout.apply((text) => parseAnswer(choiceAnswer, text));
    this.registerOutputs({});
  }
}
