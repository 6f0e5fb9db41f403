import type { Problem } from "./inputs.ts";
import type { Log } from "./log.ts";
import type { Properties } from "./properties.ts";
import type { Hide } from "./secrets.ts";

/** What a resource is worked on with. */
export interface Work {
  readonly log: Log;
  readonly hide: Hide;
  /** Aborted by the engine's Cancel, and when the time of the resource's `customTimeouts` is over. */
  readonly signal: AbortSignal;
  /** Aborted when that time is over, and by nothing else. Default: there is no limit. */
  readonly limit: AbortSignal | undefined;
}

/** A type of resource. Its state is its inputs and, beside them, its outputs. */
export interface Resource {
  readonly problems: (inputs: Properties) => readonly Problem[];
  /** The inputs with defaults in them, and with the marks of what is a secret by itself. */
  readonly filled: (inputs: Properties) => Properties;
  /** The names of its outputs: a preview does not know them. */
  readonly outputs: readonly string[];
  /** Whether its id begins with its name. */
  readonly named: boolean;
  /** These answer the outputs. */
  readonly create: (inputs: Properties, work: Work) => Promise<Properties>;
  readonly update: (inputs: Properties, state: Properties, work: Work) => Promise<Properties>;
  readonly delete: (state: Properties, work: Work) => Promise<void>;
}
