/** What a report tells of the stack's binary cache. */
import { cacheAnswer } from "../../answers.ts";
import { layerAnswer } from "../../answers.ts";
import type { OpenedStack } from "../stack.ts";

export interface CacheHealth {
  readonly facts: readonly (readonly [name: string, value: string])[];
}

export function cacheHealth({ plan, state }: OpenedStack): CacheHealth {
  const opened = state.answer("comfyui-cache", cacheAnswer);
  const layers = plan.graph.layers.flatMap(({ attr }) => state.answer(`comfyui-${attr}`, layerAnswer) ?? []);
  return {
    facts: [
      ["Place", opened?.location ?? "not opened yet"],
      ["Key", opened?.publicKey ?? "-"],
      ["Layers in it", `${layers.filter(({ cached }) => cached).length} of ${layers.length}, signed, when they were built last`],
    ],
  };
}
