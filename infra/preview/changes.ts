/**
 * What a preview means: which layers would run, why, and how long; what would be sent; what else would change. The one place
 * that says so, for the terminal (text.ts), for a pull request (markdown.ts) and for programs. Pure.
 */
import { effectOf, isGrave } from "./effects.ts";
import type { Pieces } from "../pulumi/pieces.ts";
import { type Expected, expectedTime } from "./expected-time.ts";
import { type Reasons, reasonsOf } from "./reasons.ts";
import type { Preview, Row } from "./steps.ts";

/** A layer of the stack, as the graph has it. */
export interface LayerNode {
  /** What people call it, and what others name in `waitsFor`. */
  readonly layer: string;
  /** Its command. */
  readonly resource: string;
  /** The layers it is `on` or `after`. */
  readonly waitsFor: readonly string[];
  /** Whether it is in the image. */
  readonly blob: boolean;
}

/** What is known of a command from the last time that it ran. */
export interface LastTime {
  readonly seconds: number;
  /** Of a layer's blobs, or of the whole image. */
  readonly bytes: number;
}

/** A command of the stack, which runs or stays as it is. */
export interface CommandChange {
  readonly resource: string;
  readonly runs: boolean;
  /** In words; `unchanged` where it does not run. */
  readonly effect: string;
  readonly because: Reasons;
  /** Null: it never ran to its end. */
  readonly last: LastTime | null;
}

export interface LayerChange extends CommandChange, Omit<LayerNode, "resource"> {}

export interface PublishChange extends CommandChange {
  readonly sends: Sends;
}

/** What a publish sends, as far as it is known: a layer that is built anew may turn out to be what it was. */
export interface Sends {
  /** Another registry, another set of systems, or none before: everything that it has not. */
  readonly everything: boolean;
  /** Layers whose blobs are sent. */
  readonly layers: readonly string[];
  /** By their last sizes, without the image's small files; null where one was never built. */
  readonly bytes: number | null;
}

export interface ResourceChange {
  readonly resource: string;
  readonly type: string;
  readonly op: string;
  readonly effect: string;
  readonly grave: boolean;
  readonly because: Reasons;
  /** Properties for which it is replaced. */
  readonly replacedFor: readonly string[];
}

export interface Changes {
  readonly stack: string;
  /** Why the preview failed; then there is nothing else. */
  readonly errors: readonly string[];
  /** In the image's order. */
  readonly layers: readonly LayerChange[];
  readonly publish: PublishChange | null;
  /** Hosts, registries and all else; what goes away stands first. */
  readonly others: readonly ResourceChange[];
  readonly expected: Expected;
  /** By which pieces of Pulumi this was asked. */
  readonly engine: Pieces;
}

export interface Facts {
  readonly stack: string;
  readonly engine: Pieces;
  readonly preview: Preview;
  readonly layers: readonly LayerNode[];
  /** By resource. */
  readonly last: ReadonlyMap<string, LastTime>;
}

export const PUBLISH = "comfyui-publish-image";

const noReasons: Reasons = { files: [], below: [], settings: [] };

export function changesOf(facts: Facts): Changes {
  const { stack, preview, engine } = facts;
  if (preview.errors.length > 0) return { stack, errors: preview.errors, layers: [], publish: null, others: [], expected: { seconds: 0, atLeast: false, path: [] }, engine };
  const layers = facts.layers.map((node): LayerChange => ({ ...node, ...commandChange(facts, node.resource) }));
  const publish = { ...commandChange(facts, PUBLISH), sends: sendsOf(facts) };
  return { stack, errors: [], layers, publish, others: othersOf(facts), expected: expectedTime(layers, publish), engine };
}

/** Whether `up` has anything to do. */
export function anyChange({ layers, publish, others }: Changes): boolean {
  return layers.some(({ runs }) => runs) || publish?.runs === true || others.length > 0;
}

function commandChange({ preview, last }: Facts, resource: string): CommandChange {
  const row = preview.rows.get(resource);
  const known = { resource, last: last.get(resource) ?? null };
  return row === undefined ? { ...known, runs: false, effect: "unchanged", because: noReasons } : { ...known, runs: true, effect: effectOf(row), because: reasonsOf(row) };
}

function sendsOf({ preview, layers, last }: Facts): Sends {
  const row = preview.rows.get(PUBLISH);
  if (row === undefined) return { everything: false, layers: [], bytes: 0 };
  const everything = row.op === "create" || row.changes.some(({ path: [section, system, layer] }) => section === "registry" || (section === "images" && (system === undefined || layer === undefined)));
  const { below } = reasonsOf(row);
  const sent = layers.filter(({ layer, blob }) => blob && (everything || below.includes(layer)));
  const sizes = sent.map(({ resource }) => last.get(resource)?.bytes);
  const known = sizes.filter((size) => size !== undefined);
  return { everything, layers: sent.map(({ layer }) => layer), bytes: known.length === sizes.length ? known.reduce((sum, size) => sum + size, 0) : null };
}

function othersOf({ preview, layers }: Facts): ResourceChange[] {
  const shown = new Set([PUBLISH, ...layers.map(({ resource }) => resource)]);
  const rows = [...preview.rows].filter(([key, { custom }]) => custom && !shown.has(key)).map(([, row]) => row);
  return rows.map(resourceChange).sort((a, b) => Number(b.grave) - Number(a.grave));
}

function resourceChange(row: Row): ResourceChange {
  const { name, type, op, replacedFor } = row;
  return { resource: name, type, op, effect: effectOf(row), grave: isGrave(row), because: reasonsOf(row), replacedFor };
}
