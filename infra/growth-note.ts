import { canonicalJson } from "./canonical-json.ts";
import type { GrowthConfig } from "./config/growth.ts";
import type { HostNote } from "./host-note.ts";

/** Tells a publish of the image with this tag how much it may have grown; see infra/hosts/growth.sh. */
export function growthNote(tag: string, growth: GrowthConfig | undefined, env: NodeJS.ProcessEnv): HostNote {
  const accepted = growth?.accept === tag || env["COMFYUI_ACCEPT_GROWTH"] === "1";
  return { file: `growth-${tag}.json`, text: () => (growth === undefined ? undefined : canonicalJson({ percent: growth.percent, accepted })) };
}
