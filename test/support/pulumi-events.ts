/** What one run of the engine did, from its own event log (`--event-log`): which resources ran, in which order, and what they said. */
import { resourceName } from "../../infra/preview/steps.ts";

export interface ResourceRun {
  readonly name: string;
  /** create, update, replace, delete, same … */
  readonly op: string;
  /** Places in the order of events: two resources ran side by side where one started before the other ended. */
  readonly started: number;
  readonly ended: number | undefined;
  readonly failed: boolean;
  /** False for components and the stack, which run nothing. */
  readonly custom: boolean;
}

export interface Diagnostic {
  readonly resource: string | undefined;
  readonly severity: string;
  readonly message: string;
}

export interface Events {
  readonly resources: ReadonlyMap<string, ResourceRun>;
  readonly diagnostics: readonly Diagnostic[];
  /** The engine's own word; undefined where it was killed before it could say one. */
  readonly result: string | undefined;
}

interface Metadata {
  readonly op: string;
  readonly urn: string;
  readonly type: string;
  readonly new?: { readonly custom?: boolean };
  readonly old?: { readonly custom?: boolean };
}

interface Event {
  readonly sequence: number;
  readonly resourcePreEvent?: { readonly metadata: Metadata };
  readonly resOutputsEvent?: { readonly metadata: Metadata };
  readonly resOpFailedEvent?: { readonly metadata: Metadata };
  readonly diagnosticEvent?: { readonly urn?: string; readonly severity: string; readonly message: string };
  readonly summaryEvent?: { readonly result?: string };
}

function parseLines(log: string): Event[] {
  const lines = log.split("\n");
  // The engine ends each event with a line break: what follows the last one is cut off by a kill.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Event);
}

function begin({ op, urn, type, ...states }: Metadata, started: number): ResourceRun {
  const custom = (states.new ?? states.old)?.custom === true && !type.startsWith("pulumi:");
  return { name: resourceName(urn), op, started, ended: undefined, failed: false, custom };
}

export function parseEvents(log: string): Events {
  const resources = new Map<string, ResourceRun>();
  const diagnostics: Diagnostic[] = [];
  let result: string | undefined;
  for (const event of parseLines(log)) {
    const started = event.resourcePreEvent?.metadata;
    if (started) resources.set(resourceName(started.urn), begin(started, event.sequence));
    const ended = (event.resOutputsEvent ?? event.resOpFailedEvent)?.metadata;
    const before = ended && resources.get(resourceName(ended.urn));
    if (before) resources.set(before.name, { ...before, ended: event.sequence, failed: event.resOpFailedEvent !== undefined });
    const said = event.diagnosticEvent;
    if (said && said.severity !== "debug") {
      diagnostics.push({ resource: said.urn && resourceName(said.urn), severity: said.severity, message: said.message });
    }
    result ??= event.summaryEvent?.result;
  }
  return { resources, diagnostics, result };
}

/** The commands that really ran (created, updated, replaced or deleted), sorted by name; failed ones among them. */
export function ran(events: Events): string[] {
  const all = [...events.resources.values()];
  return all.filter(({ custom, op }) => custom && op !== "same").map(({ name }) => name).sort();
}

/** Whether two resources ran side by side. */
export function overlapped(events: Events, one: string, other: string): boolean {
  const [a, b] = [events.resources.get(one), events.resources.get(other)];
  if (!a || !b) throw new Error(`no run of ${a ? other : one} in this log`);
  return a.started < (b.ended ?? Infinity) && b.started < (a.ended ?? Infinity);
}
