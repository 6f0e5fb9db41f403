import { type Fault, FaultError } from "../faults.ts";
import { requirementOf } from "./requirement.ts";
import type { RequirementsText } from "./requirements-file.ts";

/**
 * The requirements file with one more requirement, in its place by name; one of the same name in the same layer is replaced.
 * Throws one FaultError where the layer has no lock, or another layer requires the package already.
 */
export function addRequirement(file: RequirementsText, layer: string, text: string, layers: readonly string[], where: string): RequirementsText {
  const { name } = requirementOf(text);
  const holder = Object.entries(file.layers).find(([other, texts]) => other !== layer && texts.some((each) => requirementOf(each).name === name))?.[0];
  const fault: Fault | undefined = !layers.includes(layer)
    ? { code: "LOCK_LAYER_UNKNOWN", where: "--layer", problem: "there is no layer of this name that has a lock", found: layer, expected: layers.join(", ") }
    : holder === undefined ? undefined : { code: "LOCK_REQUIRED_TWICE", where: `${where}: layers.${holder}`, problem: `${holder} requires ${name} already`, found: name, fix: `npm run lock -- add '${text}' --layer ${holder}, or move the requirement in the file` };
  if (fault !== undefined) throw new FaultError([fault]);
  const others = (file.layers[layer] ?? []).filter((each) => requirementOf(each).name !== name);
  const at = others.findIndex((each) => requirementOf(each).name > name);
  return { ...file, layers: { ...file.layers, [layer]: others.toSpliced(at < 0 ? others.length : at, 0, text) } };
}
