/** The form of every operators' command. */
import type { Command } from "commander";
import type { Style } from "../table.ts";

/** Where a command runs, and how it speaks. */
export interface Context {
  /** The project's folder. */
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  /** Colours of standard output. */
  readonly style: Style;
  /** Columns of standard output. */
  readonly width: number;
  /** A line for the person who reads along, on standard error. */
  readonly tell: (line: string) => void;
  /** A text on standard output, before the answer: of what is followed while it goes on. */
  readonly show: (text: string) => void;
}

/** What a command found out. */
export interface Answer {
  /** For programs (--json): all of it, as one JSON object or list. */
  readonly json: object;
  /** For people. Empty: nothing beside what was told already. */
  readonly text: string;
  /** There is something to do: exit code 2. Default: false. */
  readonly found?: boolean;
}

/** `A`: its arguments, a missing optional one is undefined, a variadic one a list; `O`: its options, by commander's camel case. */
export interface OpsCommand<A extends readonly unknown[] = readonly unknown[], O extends object = object> {
  /** Its words, then its arguments in commander's form: `cache key <name>`, `builds follow [layer]`. */
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What else there is to know before one runs it. Default: nothing. */
  readonly description?: string;
  /** Command lines, each with what it is for. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** Adds its options, beside --json. Default: it has none. */
  readonly options?: (command: Command) => void;
  run(args: A, options: O, context: Context): Promise<Answer>;
}
