import { type LayerGraph, onClosure } from "../layer-graph.ts";

/** The layers that have a lock of their own: those that name it as their input. */
export function lockedLayers(graph: LayerGraph): string[] {
  return graph.layers.filter(({ attr, inputs }) => inputs.includes(`locks/{flavor}/${attr}.lock.json`)).map(({ attr }) => attr);
}

/** Which distributions each layer's own requirements bring, themselves included, by layer. */
export type Closures = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * The one layer of each distribution: the highest that is, for every layer in need of it, that layer or one below it. So a
 * distribution that two siblings need is hoisted into the layer below both, and none is in two layers. A distribution that is
 * needed where no layer is below all has no place: its name is missing in the answer.
 */
export function assignLayers(graph: LayerGraph, closures: Closures): ReadonlyMap<string, string> {
  const candidates = lockedLayers(graph).reverse();
  const below = new Map(graph.layers.map(({ attr }) => [attr, new Set(onClosure(graph, attr).map((layer) => layer.attr))]));
  const names = [...new Set([...closures.values()].flatMap((closure) => [...closure]))].sort();
  return new Map(
    names.flatMap((name) => {
      const users = [...closures].filter(([, closure]) => closure.has(name)).map(([layer]) => layer);
      const place = candidates.find((attr) => users.every((user) => below.get(user)?.has(attr)));
      return place === undefined ? [] : [[name, place] as const];
    }),
  );
}
