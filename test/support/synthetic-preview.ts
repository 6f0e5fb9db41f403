/** The JSON that the engine writes for a preview, made up. */
import { type Changes, changesOf, type LastTime, type LayerNode } from "../../infra/preview/changes.ts";
import { parsePreview, type Preview } from "../../infra/preview/steps.ts";
import type { Pieces } from "../../infra/pulumi/pieces.ts";

export type Request = Record<string, unknown>;
export const COMMAND = "command:local:Command";

/** A step of a command, by the requests before and after it. */
export function step(name: string, op: string, before?: Request, after?: Request, more: object = {}): object {
  const state = (request: Request | undefined) => request && { type: COMMAND, custom: true, inputs: { stdin: JSON.stringify(request) } };
  return { op, urn: `urn:pulumi:team::comfyui::${COMMAND}::${name}`, oldState: state(before), newState: state(after), ...more };
}

/** A step of any other resource. */
export function resourceStep(name: string, type: string, op: string, more: object = {}): object {
  return { op, urn: `urn:pulumi:team::comfyui::${type}::${name}`, newState: { type, custom: true }, ...more };
}

/** A step that the engine writes where both sides of a request are known to differ. */
export const base: Request = { fingerprint: "a", below: "b", graph: "g", compression: "zstd", cache: { kind: "directory", path: "x" }, inputs: { "lib/a.nix": "1234567890ab", "x.json": "1" }, on: { "layer0-base": "a" } };

export const previewOf = (...steps: object[]): Preview => parsePreview(JSON.stringify({ steps }));

/** A layer of these names, on the one before it. */
export function chain(...names: string[]): LayerNode[] {
  return names.map((layer, at) => ({ layer, resource: `comfyui-${layer}`, waitsFor: names.slice(Math.max(0, at - 1), at), blob: true }));
}

export const took = (seconds: number, bytes = seconds * 1_000_000): LastTime => ({ seconds, bytes });

/** Pulumi with a stand-in for one of its pieces. */
export const engine: Pieces = {
  cli: { version: "3.274.1", file: "/bin/pulumi", standIn: false },
  languageHost: { version: "3.274.1", file: "/bin/pulumi-language-nodejs", standIn: false },
  commandPlugin: { version: "1.2.1", file: "/plugins/pulumi-resource-command", standIn: true },
};

/** What steps mean to the stack team: of two layers, the upper one on the lower. */
export function changes(steps: readonly object[], layers = chain("layer0-base", "layer1-python"), last: Readonly<Record<string, LastTime>> = {}): Changes {
  return changesOf({ stack: "team", engine, preview: previewOf(...steps), layers, last: new Map(Object.entries(last)) });
}
