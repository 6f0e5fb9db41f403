/** Names of what is there once for each of a stack's systems. */
import type { Layer, LayerGraph } from "./layer-graph.ts";

/** `x86_64` of `x86_64-linux`. */
function architecture(system: string): string {
  return system.replace(/-linux$/, "");
}

/**
 * Prefix of the logical names of one system's resources: NAME for the first system, NAME-aarch64 for a further one. A contract:
 * a resource of another name is another resource, so a stack that gets a second system keeps what it has.
 */
export function systemPrefix(name: string, systems: readonly string[], system: string): string {
  return system === systems[0] ? name : `${name}-${architecture(system)}`;
}

/** The command of a layer for a system. */
export interface LayerCommand {
  readonly layer: Layer;
  readonly system: string;
  /** The resource's logical name. */
  readonly name: string;
  /** For people: the layer, with its system where the stack has several. */
  readonly label: string;
  /** Labels of the layers that it waits for. */
  readonly waitsFor: readonly string[];
}

/** System by system, each in the image's order. */
export function layerCommands(graph: LayerGraph, systems: readonly string[]): LayerCommand[] {
  return systems.flatMap((system) => {
    const prefix = systemPrefix("comfyui", systems, system);
    const label = (attr: string) => labelOf(attr, systems.length > 1 ? system : undefined);
    return graph.layers.map((layer) => ({ layer, system, name: `${prefix}-${layer.attr}`, label: label(layer.attr), waitsFor: [...layer.on, ...layer.after].map(label) }));
  });
}

/**
 * What a layer's folders, lock and history are called on a host (`run_name` in infra/hosts/run.sh). `own`: the host's system,
 * whose layers have no suffix.
 */
export function runName(attr: string, system: string, own: string): string {
  return system === own ? attr : `${attr}-${architecture(system)}`;
}

export function labelOf(attr: string, system: string | undefined): string {
  return system === undefined ? attr : `${attr} (${system})`;
}
