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
  /** The gravest of the resource's steps: a replacement has several. */
  readonly op: string;
  /** False for components and the stack itself, which run nothing. */
  readonly custom: boolean;
  /** The properties that differ; those that make the engine replace the resource are among them. */
  readonly reasons: readonly string[];
  /** The properties for which the resource is replaced. */
  readonly replacedFor: readonly string[];
  /** What differs in the JSON request on stdin. Empty where both are secret. */
  readonly changes: readonly Change[];
  /** What differs is known only while `up` runs: it may turn out to be the same as before. */
  readonly uncertain: boolean;
}

export interface Preview {
  /** Every resource to which something would happen, by name; unchanged ones are absent. A second one of a name goes by its URN. */
  readonly rows: ReadonlyMap<string, Row>;
  /** The stack's configuration as the engine read it: JSON texts for objects and lists. */
  readonly config: Readonly<Record<string, string>>;
  /** Why the preview failed, in the engine's words; empty where it did not. */
  readonly errors: readonly string[];
}

interface State {
  readonly type: string;
  readonly custom?: boolean;
  /** What is left of a resource that was replaced, in a run that did not end. */
  readonly delete?: boolean;
  readonly retainOnDelete?: boolean;
  readonly inputs?: { readonly stdin?: unknown; readonly [property: string]: unknown };
}

interface Step {
  readonly op: string;
  readonly urn: string;
  readonly oldState?: State;
  readonly newState?: State;
  readonly diffReasons?: readonly string[] | null;
  readonly replaceReasons?: readonly string[] | null;
}

interface Document {
  readonly steps?: readonly Step[];
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

/** The JSON request of a command; a script's text, or the engine's word for a secret, as it is. */
function request(state: State | undefined): unknown {
  const stdin = state?.inputs?.stdin;
  try {
    return typeof stdin === "string" ? (JSON.parse(stdin) as unknown) : stdin;
  } catch {
    return stdin;
  }
}

/** The last part of a URN: the name that the program gave. */
export function resourceName(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

/** Stands for a value that the engine does not know before `up`. https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/plugin/rpc.go */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Steps that leave everything as it is. */
const nothings = ["same", "read", "refresh"];

/** Of a resource's steps the first of these names what matters; of others the first. */
const gravest = ["replace", "create-replacement", "delete-replaced", "delete"];

export function parsePreview(text: string): Preview {
  const { steps = [], config = {}, diagnostics } = JSON.parse(text) as Document;
  const byUrn = Map.groupBy(steps.filter(({ op }) => !nothings.includes(op)), keyOf);
  const rows = new Map<string, Row>();
  for (const [key, each] of byUrn) {
    const row = rowOf(each as [Step, ...Step[]]);
    rows.set(rows.has(row.name) ? key : row.name, row);
  }
  const errors = (diagnostics ?? []).filter(({ severity }) => severity === "error").map(({ message }) => message.trim());
  return { rows, config, errors };
}

/** What is left of an earlier replacement has the URN of the resource that took its place, which may well stay. */
function keyOf({ urn, oldState }: Step): string {
  return oldState?.delete === true ? `${urn} (what was left of it)` : urn;
}

function rowOf(steps: [Step, ...Step[]]): Row {
  const op = gravest.find((grave) => steps.some((step) => step.op === grave)) ?? steps[0].op;
  const before = steps.find(({ oldState }) => oldState !== undefined)?.oldState;
  const after = steps.find(({ newState }) => newState !== undefined)?.newState;
  const { type = "", custom = false } = after ?? before ?? {};
  const reasons = [...new Set(steps.flatMap(({ diffReasons }) => diffReasons ?? []))];
  return {
    name: resourceName(keyOf(steps[0])),
    type,
    op: op === "delete" && before?.retainOnDelete === true ? "forget" : op,
    custom,
    reasons,
    replacedFor: [...new Set(steps.flatMap(({ replaceReasons }) => replaceReasons ?? []))],
    changes: before !== undefined && after !== undefined ? differences(request(before), request(after)) : [],
    uncertain: before !== undefined && reasons.some((property) => JSON.stringify(after?.inputs?.[property.split(/[.[]/)[0] as string] ?? "").includes(UNKNOWN)),
  };
}

/** The files that a row names as changed, added or removed. */
export function changedFiles(row: Row | undefined): string[] {
  return (row?.changes ?? []).filter(({ path }) => path[0] === "inputs").map(({ path }) => path.slice(1).join("/"));
}
