/** The operators' command line: which commands there are, and what is the same for all of them. */
import { Command, CommanderError } from "commander";
import { FaultError } from "../faults.ts";
import type { Context, OpsCommand } from "./command.ts";
import { awsAccount } from "./commands/aws-account.ts";
import { awsImage } from "./commands/aws-image.ts";
import { builds } from "./commands/builds.ts";
import { buildsFollow } from "./commands/builds-follow.ts";
import { buildsStop } from "./commands/builds-stop.ts";
import { cacheGc } from "./commands/cache-gc.ts";
import { cacheKey } from "./commands/cache-key.ts";
import { cachePin, cacheUnpin } from "./commands/cache-pin.ts";
import { cacheRotateKey } from "./commands/cache-rotate-key.ts";
import { cacheStatus } from "./commands/cache-status.ts";
import { cacheVerify } from "./commands/cache-verify.ts";
import { cacheWarm } from "./commands/cache-warm.ts";
import { completion } from "./commands/completion.ts";
import { diffImages } from "./commands/diff.ts";
import { drift } from "./commands/drift.ts";
import { hostBootstrap } from "./commands/host-bootstrap.ts";
import { hostKey } from "./commands/host-key.ts";
import { plan } from "./commands/plan.ts";
import { promoteImage } from "./commands/promote.ts";
import { report } from "./commands/report.ts";
import { rollbackImage } from "./commands/rollback.ts";
import { sbom } from "./commands/sbom.ts";
import { ScriptFailed } from "./script.ts";

/** What a person types before a command. */
export const CALL = "npm run --silent ops --";

/** First words that several commands share. */
const groups: Readonly<Record<string, string>> = {
  host: "machines that the stack builds on or keeps its cache on",
  cache: "the binary cache",
  aws: "what stacks on AWS need by hand",
};

const commands: readonly OpsCommand[] = [
  plan,
  drift,
  builds,
  buildsFollow,
  buildsStop,
  report,
  hostKey,
  hostBootstrap,
  cacheStatus,
  cacheVerify,
  cacheGc,
  cachePin,
  cacheUnpin,
  cacheWarm,
  cacheKey,
  cacheRotateKey,
  promoteImage,
  rollbackImage,
  diffImages,
  sbom,
  awsAccount,
  awsImage,
  completion(opsProgram),
];

/** In every command's help. */
const EXIT_CODES = `
Exit codes: 0 done, and nothing is to be done; 2 done, and there is something to do (changes, damage); 1 an error.`;

/** The whole command line. `ran` gets the exit code of the command that was run. */
export function opsProgram(context: Context, ran: (code: number) => void = () => undefined): Command {
  const program = quiet(new Command("ops")).usage("COMMAND").description("What the operators and the reviewers of a stack do.").helpCommand(false).addHelpText("after", EXIT_CODES);
  for (const command of commands) add(program, command, async (args, options) => ran(await answered(command, args, options, context)));
  return program;
}

/** Runs a command line and answers the exit code; throws a FaultError where it is not understood, or where the command fails. */
export async function runOps(args: readonly string[], context: Context): Promise<number> {
  let code = 0;
  const program = opsProgram(context, (ended) => (code = ended));
  try {
    await program.parseAsync(args.length === 0 ? ["--help"] : [...args], { from: "user" });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help that was asked for is no error.
    if (error.exitCode === 0) return 0;
    throw usage(error);
  }
}

/** For the process: faults are messages of their own, and exit code 1. */
export async function opsExitCode(args: readonly string[], context: Context): Promise<number> {
  try {
    return await runOps(args, context);
  } catch (error) {
    if (!(error instanceof FaultError || error instanceof ScriptFailed)) throw error;
    context.tell(error.message);
    return 1;
  }
}

async function answered(command: OpsCommand, args: readonly unknown[], options: { readonly json?: boolean }, context: Context): Promise<number> {
  const { json, text, found = false } = await command.run(args, options, context);
  if (options.json) context.show(`${JSON.stringify(json)}\n`);
  else if (text !== "") context.show(`${text.trimEnd()}\n`);
  return found ? 2 : 0;
}

function add(program: Command, { name, summary, description = "", examples, options }: OpsCommand, run: (args: readonly unknown[], options: object) => Promise<void>): void {
  const [words, args] = [/^[a-z-]+( [a-z-]+)*/.exec(name)?.[0] ?? "", name.replace(/^[a-z-]+( [a-z-]+)*\s*/, "")];
  const [first = "", second] = words.split(" ");
  const parent = second === undefined ? program : groupOf(program, first);
  const command = quiet(parent.command(`${second ?? first} ${args}`.trim())).summary(summary).description(paragraphs(summary, description));
  options?.(command);
  command.option("--json", "the answer as JSON on standard output");
  command.addHelpText("after", `\nExamples:\n${examples.map(([line, what]) => `  ${CALL} ${line}\n      ${what}`).join("\n")}\n${EXIT_CODES}`);
  // Behind its arguments commander gives the options and the command itself.
  command.action((...all: unknown[]) => run(all.slice(0, -2), command.opts()));
}

/** Lines are broken by commander, for the terminal's width. */
function paragraphs(summary: string, description: string): string {
  const first = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
  return [first, ...description.split("\n\n").map((text) => text.replaceAll("\n", " "))].filter((text) => text !== "").join("\n\n");
}

function groupOf(program: Command, name: string): Command {
  const known = program.commands.find((each) => each.name() === name);
  return known ?? quiet(program.command(name)).description(groups[name] as string).helpCommand(false);
}

/** Its errors are thrown, and not written by commander itself. */
function quiet(command: Command): Command {
  return command.exitOverride().configureOutput({ writeErr: () => undefined }).showSuggestionAfterError(true).allowExcessArguments(false)
    // A group may be a command too, with options of the same name.
    .enablePositionalOptions();
}

function usage({ code, message }: CommanderError): FaultError {
  // A group without a command shows its help, which commander counts as an error.
  const problem = code === "commander.help" ? "a command is missing" : message.replace(/^error: /, "").replaceAll("\n", " ");
  return new FaultError([{ code: "OPS_USAGE", where: "npm run ops", problem }]);
}
