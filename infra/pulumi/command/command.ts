/** What a local and a remote command have in common: which line runs when, and what is said of it. */
import { anything, flag, inputsOf, oneOf, problemsOf, type Shape, text } from "./inputs.ts";
import { Output, type Logging } from "./output.ts";
import { bare, type Properties } from "./properties.ts";
import type { Resource, Work } from "./resource.ts";

/** Inputs of both. */
export const commandInputs = {
  triggers: anything,
  create: text,
  update: text,
  delete: text,
  stdin: text,
  logging: oneOf("stdout", "stderr", "stdoutAndStderr", "none"),
  addPreviousOutputInEnv: flag,
};

interface CommandInputs {
  readonly create: string | undefined;
  readonly update: string | undefined;
  readonly delete: string | undefined;
  readonly stdin: string | undefined;
  readonly logging: Logging | undefined;
  readonly addPreviousOutputInEnv: boolean | undefined;
}

/** A line that is to run. */
export interface Line<I> {
  readonly line: string;
  readonly inputs: I;
  /** Environment variables: what the line before this one wrote. */
  readonly previous: Readonly<Record<string, string>>;
  readonly output: Output;
}

/** Runs a line to its end; says how it ended ("exit status 1"), and nothing where it ended well. */
export type RunLine<I> = (line: Line<I>, work: Work) => Promise<string | undefined>;

/** Characters of a line that an error quotes. */
const QUOTED = 1000;

const written = ["stdout", "stderr"] as const;

export function commandResource<I extends CommandInputs>(inputs: Shape<I>, filled: Resource["filled"], runLine: RunLine<I>): Resource {
  const run = async (line: string | undefined, properties: Properties, state: Properties, work: Work): Promise<Properties> => {
    const before = Object.fromEntries(written.map((name) => [name, bare(state[name] ?? "")])) as Record<(typeof written)[number], string>;
    if (line === undefined) return before;
    const read = readInputs(properties);
    const output = new Output({ logging: read.logging ?? "stdoutAndStderr", hide: work.hide, line: work.log.line });
    const previous = read.addPreviousOutputInEnv === false ? {} : { PULUMI_COMMAND_STDOUT: before.stdout, PULUMI_COMMAND_STDERR: before.stderr };
    const set = Object.fromEntries(Object.entries(previous).filter(([, value]) => value !== ""));
    const problem = await runLine({ line, inputs: read, previous: set, output }, work);
    if (problem !== undefined) throw new Error(`${problem}: running ${quoted(work.hide(line))}:\n${output.end()}`);
    return { stdout: output.text("stdout"), stderr: output.text("stderr") };
  };
  const readInputs = (properties: Properties) => inputsOf(inputs, properties);
  return {
    problems: (properties) => problemsOf(inputs, properties),
    filled,
    outputs: written,
    named: true,
    create: (properties, work) => run(readInputs(properties).create, properties, {}, work),
    update: (properties, state, work) => {
      const { update, create } = readInputs(properties);
      return run(update ?? create, properties, state, work);
    },
    async delete(state, work) {
      const { stdout: _stdout, stderr: _stderr, ...properties } = state;
      await run(readInputs(properties).delete, properties, state, work);
    },
  };
}

function quoted(line: string): string {
  return JSON.stringify(line.length > QUOTED ? `${line.slice(0, QUOTED)}…` : line);
}

