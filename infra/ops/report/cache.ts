/** What a report tells of the stack's binary cache. */
import { cacheAnswer, layerAnswer } from "../../answers.ts";
import type { OpenedStack } from "../stack.ts";

export interface CachePart {
  readonly stack: string;
  /** A layer, or `image`. */
  readonly part: string;
  readonly paths: number;
  readonly size: number;
  /** What is wrong with it; empty: nothing. */
  readonly trouble: string;
}

export interface CacheHealth {
  /** Why it cannot be read. */
  readonly problem: string | undefined;
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Of each stack that shares it. */
  readonly parts: readonly CachePart[];
}

/** As the last `up` left it. */
export function cacheHealth({ plan, state }: OpenedStack): CacheHealth {
  const opened = state.answer("comfyui-cache", cacheAnswer);
  const layers = plan.graph.layers.flatMap(({ attr }) => state.answer(`comfyui-${attr}`, layerAnswer) ?? []);
  return {
    problem: undefined,
    facts: [
      ["Place", opened?.location ?? "not opened yet"],
      ["Key", opened?.publicKey ?? "-"],
      ["Layers in it", `${layers.filter(({ cached }) => cached).length} of ${layers.length}, signed, when they were built last`],
    ],
    parts: [],
  };
}
