import * as pulumi from "@pulumi/pulumi";
import type { Host, HostCommand } from "./host.ts";
import { layerAnswer, type LayerOutput, layerOutput, parseAnswer } from "./answers.ts";
import { imageLayers } from "./fingerprint.ts";
import { layerRequest, type Plan, plansBySystem } from "./request.ts";
import { systemPrefix } from "./system-names.ts";

export interface LayersArgs {
  readonly host: Host;
  readonly plan: Plan;
  /** What the host needs first; order only. */
  readonly ready: readonly pulumi.Resource[];
}

export interface BuiltLayers {
  /** The commands of the layers that are blobs of an image. */
  readonly blobs: readonly pulumi.Resource[];
  /** By attr; of several systems by system, then by attr. */
  readonly outputs: pulumi.Output<Record<string, LayerOutput> | Record<string, Record<string, LayerOutput>>>;
}

/** The layers of all of the stack's systems, each system in a component of its own; they wait for nothing of each other. */
export function buildLayers(name: string, args: LayersArgs): BuiltLayers {
  const { systems } = args.plan.config;
  const made = plansBySystem(args.plan).map((plan) => [plan.settings.system, new Layers(systemPrefix(name, systems, plan.settings.system), { ...args, plan })] as const);
  const blobs = imageLayers(args.plan.graph);
  return {
    blobs: made.flatMap(([, { commands }]) => blobs.map(({ attr }) => commands.get(attr) as pulumi.Resource)),
    outputs: pulumi.all(Object.fromEntries(made.map(([system, { outputs }]) => [system, outputs]))).apply((all) => (systems.length > 1 ? all : (all[systems[0] as string] as Record<string, LayerOutput>))),
  };
}

/** One command a layer, named NAME-ATTR, in the order of the graph: a layer starts when those it is `on` or `after` are done. */
class Layers extends pulumi.ComponentResource {
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
