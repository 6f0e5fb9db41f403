/** What a step of a workflow gets from the runner, and hands back to it, by environment variables and files. */
import { appendFileSync } from "node:fs";
import { throwFaults } from "../faults.ts";

/** The named variables; one error names all that are missing. */
export function environment<Name extends string>(...names: readonly Name[]): Record<Name, string> {
  const missing = names.filter((name) => !process.env[name]);
  throwFaults(missing.map((name) => ({ code: "CI_ENVIRONMENT", where: name, problem: "this variable of the workflow's step is not set" })));
  return Object.fromEntries(names.map((name) => [name, process.env[name]])) as Record<Name, string>;
}

/** Adds Markdown to the run's summary page; outside of a workflow nothing. */
export function summarize(markdown: string): void {
  const file = process.env["GITHUB_STEP_SUMMARY"];
  if (file) appendFileSync(file, `${markdown.trimEnd()}\n\n`);
}

/** Sets an output of the step. Values are one line each: a line break would begin another output. */
export function setOutput(name: string, value: string): void {
  if (/[\r\n]/.test(value)) throw new Error(`the output ${name} has a line break`);
  const file = process.env["GITHUB_OUTPUT"];
  if (file) appendFileSync(file, `${name}=${value}\n`);
}

/** Runs a step's program: an error is shown as it is, without a stack trace where it is a fault of what was given. */
export async function step(main: () => number | void | Promise<number | void>): Promise<void> {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
