import * as pulumi from "@pulumi/pulumi";
import type { Host, HostCommand } from "./host.ts";
import { layerAnswer, type LayerOutput, layerOutput, parseAnswer } from "./answers.ts";
import { layerRequest, type Plan } from "./request.ts";

export interface LayersArgs {
  readonly host: Host;
  readonly plan: Plan;
  /** What the host needs first; order only. */
  readonly ready: readonly pulumi.Resource[];
}

/** One command a layer, named NAME-ATTR, in the order of the graph: a layer starts when those it is `on` or `after` are done. */
export class Layers extends pulumi.ComponentResource {
  readonly commands: ReadonlyMap<string, pulumi.Resource>;
  /** By attr. */
  readonly outputs: pulumi.Output<Record<string, LayerOutput>>;

  constructor(name: string, { host, plan, ready }: LayersArgs) {
    super("comfyui:image:Layers", name);
    const runs = new Map<string, HostCommand>();
    for (const layer of plan.graph.layers) {
      const dependsOn = [...ready, ...[...layer.on, ...layer.after].map((below) => (runs.get(below) as HostCommand).resource)];
      runs.set(layer.attr, host.run(`${name}-${layer.attr}`, { script: "build-layer", request: layerRequest(plan, layer) }, { parent: this, dependsOn }));
    }
    this.commands = new Map([...runs].map(([attr, { resource }]) => [attr, resource]));
    this.outputs = pulumi.all([...runs.values()].map(({ answer }) => answer)).apply((texts) =>
      Object.fromEntries(texts.map((text) => parseAnswer(layerAnswer, text)).map((answer) => [answer.layer, layerOutput.parse(answer)])),
    );
    this.registerOutputs({});
  }
}
