/** How long a run would take, by what its commands took the last time. */
import type { LayerChange, PublishChange } from "./changes.ts";

export interface Expected {
  /** Along the longest chain of layers that wait for each other, and the publish behind it. */
  readonly seconds: number;
  /** A command that runs has never run before, so it takes longer than that. */
  readonly atLeast: boolean;
  /** That chain: only what runs. */
  readonly path: readonly string[];
}

interface Chain {
  readonly seconds: number;
  readonly path: readonly string[];
}

/** Layers that wait for nothing of each other are built side by side; what does not run takes no time. `layers`: lower ones first. */
export function expectedTime(layers: readonly LayerChange[], publish: PublishChange): Expected {
  const ends = new Map<string, Chain>();
  for (const layer of layers) ends.set(layer.layer, behind(layer.waitsFor.map((name) => ends.get(name)), layer, layer.layer));
  const blobs = layers.filter(({ blob }) => blob).map(({ layer }) => ends.get(layer));
  const { seconds, path } = longest([...ends.values(), behind(blobs, publish, "publish")]);
  return { seconds, path, atLeast: [...layers, publish].some(({ runs, last }) => runs && last === null) };
}

function behind(before: readonly (Chain | undefined)[], { runs, last }: Pick<LayerChange, "runs" | "last">, name: string): Chain {
  const { seconds, path } = longest(before.filter((chain) => chain !== undefined));
  return runs ? { seconds: seconds + (last?.seconds ?? 0), path: [...path, name] } : { seconds, path };
}

/** Of two that take the same time, the one with more links: those that never ran count nothing. */
function longest(chains: readonly Chain[]): Chain {
  const none: Chain = { seconds: 0, path: [] };
  return chains.reduce((a, b) => (b.seconds > a.seconds || (b.seconds === a.seconds && b.path.length > a.path.length) ? b : a), none);
}
