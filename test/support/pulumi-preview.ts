/** `pulumi preview --json` as a plain table: which resource, what would happen to it, and which part of its request differs. */
import { resourceName } from "./pulumi-events.ts";

export interface Change {
  /** The keys that lead to the value, for example ["inputs", "layer6-app/app.json"]. */
  readonly path: readonly string[];
  readonly old: unknown;
  readonly new: unknown;
}

export interface Row {
  readonly name: string;
  readonly type: string;
  readonly op: string;
  /** The properties that differ. */
  readonly reasons: readonly string[];
  /** What differs in the JSON request on stdin. */
  readonly changes: readonly Change[];
}

export interface Preview {
  /** Every resource to which something would happen, by name; unchanged ones are absent. */
  readonly rows: ReadonlyMap<string, Row>;
  readonly summary: Readonly<Record<string, number>>;
}

interface State {
  readonly type: string;
  readonly inputs?: { readonly stdin?: unknown };
}

interface Step {
  readonly op: string;
  readonly urn: string;
  readonly oldState?: State;
  readonly newState?: State;
  readonly diffReasons?: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Every value that differs between two JSON values, as deep as both are objects. */
export function differences(before: unknown, after: unknown, path: readonly string[] = []): Change[] {
  if (!isObject(before) || !isObject(after)) {
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, old: before, new: after }];
  }
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((key) => differences(before[key], after[key], [...path, key]));
}

function request(state: State | undefined): unknown {
  const stdin = state?.inputs?.stdin;
  if (typeof stdin !== "string") return stdin;
  // Not every resource's input is a JSON request.
  return /^\s*[{[]/.test(stdin) ? (JSON.parse(stdin) as unknown) : stdin;
}

export function parsePreview(text: string): Preview {
  const json = JSON.parse(text) as { steps?: Step[]; changeSummary?: Record<string, number> };
  const rows = new Map<string, Row>();
  for (const { op, urn, oldState, newState, diffReasons } of json.steps ?? []) {
    if (op === "same") continue;
    const name = resourceName(urn);
    const both = oldState !== undefined && newState !== undefined;
    const changes = both ? differences(request(oldState), request(newState)) : [];
    const type = (newState ?? oldState)?.type ?? "";
    // A replacement has several steps; the first names what matters.
    if (!rows.has(name)) rows.set(name, { name, type, op, reasons: diffReasons ?? [], changes });
  }
  return { rows, summary: json.changeSummary ?? {} };
}

/** The files that a row names as changed, added or removed. */
export function changedFiles(row: Row | undefined): string[] {
  return (row?.changes ?? []).filter(({ path }) => path[0] === "inputs").map(({ path }) => path.slice(1).join("/"));
}
