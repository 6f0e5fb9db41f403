/** `pulumi preview --json` as a plain table: which resource, what would happen to it, and which part of its request differs. */

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
  /** False for components and the stack itself, which run nothing. */
  readonly custom: boolean;
  /** The properties that differ. */
  readonly reasons: readonly string[];
  /** What differs in the JSON request on stdin. */
  readonly changes: readonly Change[];
}

export interface Preview {
  /** Every resource to which something would happen, by name; unchanged ones are absent. */
  readonly rows: ReadonlyMap<string, Row>;
  readonly summary: Readonly<Record<string, number>>;
  /** The stack's configuration as the engine read it: JSON texts for objects and lists. */
  readonly config: Readonly<Record<string, string>>;
  /** Why the preview failed, in the engine's words; empty where it did not. */
  readonly errors: readonly string[];
}

interface State {
  readonly type: string;
  readonly custom?: boolean;
  readonly inputs?: { readonly stdin?: unknown };
}

interface Step {
  readonly op: string;
  readonly urn: string;
  readonly oldState?: State;
  readonly newState?: State;
  readonly diffReasons?: readonly string[];
}

interface Document {
  readonly steps?: readonly Step[];
  readonly changeSummary?: Readonly<Record<string, number>>;
  readonly config?: Readonly<Record<string, string>>;
  readonly diagnostics?: readonly { readonly severity: string; readonly message: string }[];
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

/** The last part of a URN: the name that the program gave. */
export function resourceName(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

export function parsePreview(text: string): Preview {
  const { steps = [], changeSummary = {}, config = {}, diagnostics } = JSON.parse(text) as Document;
  const rows = new Map<string, Row>();
  for (const { op, urn, oldState, newState, diffReasons } of steps) {
    if (op === "same") continue;
    const name = resourceName(urn);
    const both = oldState !== undefined && newState !== undefined;
    const changes = both ? differences(request(oldState), request(newState)) : [];
    const { type = "", custom = false } = newState ?? oldState ?? {};
    // A replacement has several steps; the first names what matters.
    if (!rows.has(name)) rows.set(name, { name, type, op, custom, reasons: diffReasons ?? [], changes });
  }
  const errors = (diagnostics ?? []).filter(({ severity }) => severity === "error").map(({ message }) => message.trim());
  return { rows, summary: changeSummary, config, errors };
}

/** The files that a row names as changed, added or removed. */
export function changedFiles(row: Row | undefined): string[] {
  return (row?.changes ?? []).filter(({ path }) => path[0] === "inputs").map(({ path }) => path.slice(1).join("/"));
}
