/** What a step of the engine does, in words. */
import type { Row } from "./steps.ts";

interface Effect {
  /** Of a command of this program, such as a layer's. */
  readonly command: string;
  /** Of any other resource. */
  readonly other: string;
  /** Something that is there goes away: a reviewer must not overlook it. */
  readonly grave?: true;
}

/** By the engine's name of the step; what is not here goes by that name. */
const effects: Readonly<Record<string, Effect>> = {
  create: { command: "runs for the first time", other: "created" },
  update: { command: "runs", other: "updated" },
  replace: { command: "replaced", other: "replaced", grave: true },
  "create-replacement": { command: "replaced", other: "replaced", grave: true },
  "delete-replaced": { command: "replaced", other: "replaced", grave: true },
  delete: { command: "deleted", other: "deleted", grave: true },
  forget: { command: "left alone, no longer managed", other: "left alone, no longer managed", grave: true },
};

export function effectOf({ op, type, uncertain }: Row): string {
  const { command, other } = effects[op] ?? { command: op, other: op };
  const sure = type.startsWith("command:") ? command : other;
  return uncertain ? `perhaps ${sure}` : sure;
}

export function isGrave({ op }: Row): boolean {
  return effects[op]?.grave === true;
}
