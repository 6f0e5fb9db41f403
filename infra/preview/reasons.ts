/** Why a resource would change: what differs, sorted by what it means to a person. */
import { labelOf } from "../system-names.ts";
import { type Change, type Row, UNKNOWN } from "./steps.ts";

export interface FileReason {
  /** Relative to layers/. */
  readonly file: string;
  readonly how: "changed" | "added" | "removed";
  /** Digests, as the requests have them: 12 hex digits, `+x` for a program. */
  readonly old?: string;
  readonly new?: string;
}

export interface Reasons {
  /** Input files that differ. */
  readonly files: readonly FileReason[];
  /** Layers below that run themselves and take this one along. */
  readonly below: readonly string[];
  /** Settings and properties that differ, such as `compression` or `registry.repository`. */
  readonly settings: readonly string[];
}

type Reader = (change: Change) => Partial<Reasons>;

const nothing: Reader = () => ({});
const layerBelow: Reader = ({ path }) => ({ below: path.slice(1) });
/** Of several systems; one that comes or goes is a setting, without all its layers. */
const imageBelow: Reader = ({ path: [, system, layer] }) => (layer === undefined ? { settings: ["systems"] } : { below: [labelOf(layer, system)] });
const setting: Reader = ({ path, new: now }) => ({ settings: [path.length > 0 ? path.join(".") : wholeInput(now)] });

/** What is no JSON request differs as a whole. */
function wholeInput(now: unknown): string {
  return now === UNKNOWN ? "input known only during up" : "script";
}

function fileReason({ path, old, new: now }: Change): FileReason {
  const how = old === undefined ? "added" : now === undefined ? "removed" : "changed";
  return { file: path.slice(1).join("/"), how, ...(typeof old === "string" && { old }), ...(typeof now === "string" && { new: now }) };
}

/** By the first key of the path in the request; any other key is a setting. See infra/request.ts. */
const readers: Readonly<Record<string, Reader>> = {
  inputs: (change) => ({ files: [fileReason(change)] }),
  on: layerBelow,
  layers: layerBelow,
  images: imageBelow,
  graph: () => ({ settings: ["layers.json"] }),
  // These follow from the others.
  fingerprint: nothing,
  tag: nothing,
  below: nothing,
};

export function reasonsOf(row: Pick<Row, "changes" | "reasons">): Reasons {
  const found = row.changes.map((change) => (readers[change.path[0] ?? ""] ?? setting)(change));
  const hidden = row.reasons.includes("stdin") && row.changes.length === 0 ? ["input, which is secret"] : [];
  const properties = row.reasons.filter((property) => property !== "stdin");
  return {
    files: found.flatMap(({ files = [] }) => files),
    below: found.flatMap(({ below = [] }) => below),
    settings: [...found.flatMap(({ settings = [] }) => settings), ...hidden, ...properties],
  };
}
