/** Why a command would run: what differs in its request, sorted by what it means to a person. */
import type { Change, Row } from "./steps.ts";

export interface Reasons {
  /** Input files that differ; relative to layers/. */
  readonly files: readonly { readonly file: string; readonly how: "changed" | "added" | "removed" }[];
  /** Layers below that run themselves and take this one along. */
  readonly below: readonly string[];
  /** Settings that differ, such as `compression` or `registry.repository`. */
  readonly settings: readonly string[];
}

type Reader = (change: Change) => Partial<Reasons>;

const nothing: Reader = () => ({});
const layerBelow: Reader = ({ path }) => ({ below: path.slice(1) });
const setting: Reader = ({ path }) => ({ settings: [path.join(".")] });

function how({ old, new: now }: Change): "changed" | "added" | "removed" {
  if (old === undefined) return "added";
  return now === undefined ? "removed" : "changed";
}

/** By the first key of the path in the request; any other key is a setting. See infra/request.ts. */
const readers: Readonly<Record<string, Reader>> = {
  inputs: (change) => ({ files: [{ file: change.path.slice(1).join("/"), how: how(change) }] }),
  on: layerBelow,
  layers: layerBelow,
  graph: () => ({ settings: ["layers.json"] }),
  // These follow from the others.
  fingerprint: nothing,
  tag: nothing,
  below: nothing,
};

export function reasonsOf(row: Pick<Row, "changes" | "reasons">): Reasons {
  const found = row.changes.map((change) => (readers[change.path[0] ?? ""] ?? setting)(change));
  const inputs = row.reasons.filter((property) => property !== "stdin");
  return {
    files: found.flatMap(({ files = [] }) => files),
    below: found.flatMap(({ below = [] }) => below),
    settings: [...found.flatMap(({ settings = [] }) => settings), ...inputs],
  };
}
