/** What the engine did, from the file that `pulumi up --event-log` writes: one JSON object a line. */

/** One resource of the stack; `done` is false where it failed or was cut off. */
export interface ResourceRun {
  readonly op: string;
  readonly done: boolean;
  readonly stdout?: string;
}

interface Metadata {
  readonly op: string;
  readonly urn: string;
  readonly new?: { readonly outputs?: { readonly stdout?: unknown } } | null;
}

interface EngineEvent {
  readonly preludeEvent?: { readonly config?: Readonly<Record<string, string>> };
  readonly resourcePreEvent?: { readonly metadata: Metadata };
  readonly resOutputsEvent?: { readonly metadata: Metadata };
  readonly resOpFailedEvent?: { readonly metadata: Metadata };
}

/** By resource name. A resource that never started has no entry. */
export function readEvents(log: string): Map<string, ResourceRun> {
  const runs = new Map<string, ResourceRun>();
  for (const line of log.split("\n")) {
    if (line === "") continue;
    const event = JSON.parse(line) as EngineEvent;
    const metadata = (event.resourcePreEvent ?? event.resOutputsEvent ?? event.resOpFailedEvent)?.metadata;
    if (metadata === undefined) continue;
    const stdout = metadata.new?.outputs?.stdout;
    const name = metadata.urn.split("::").at(-1) ?? metadata.urn;
    const done = event.resOutputsEvent !== undefined;
    runs.set(name, { op: metadata.op, done, ...(done && typeof stdout === "string" ? { stdout } : {}) });
  }
  return runs;
}

/** The stack's configuration, as this run had it. */
export function configOf(log: string): Readonly<Record<string, string>> {
  const events = log.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as EngineEvent);
  return events.find(({ preludeEvent }) => preludeEvent?.config !== undefined)?.preludeEvent?.config ?? {};
}

/** Whether the run changed nothing at all. */
export function nothingDone(runs: ReadonlyMap<string, ResourceRun>): boolean {
  return [...runs.values()].every(({ op, done }) => op === "same" && done);
}
