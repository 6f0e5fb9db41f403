/** `npm run ops`: what the operators of a stack do by hand. infra/ops/arguments.ts has the commands. */
import { join } from "node:path";
import { FaultError } from "./faults.ts";
import { parseArguments } from "./ops/arguments.ts";
import { ScriptFailed } from "./ops/aws.ts";
import { runCommand } from "./ops/commands.ts";

try {
  await runCommand(parseArguments(process.argv.slice(2)), {
    root: join(import.meta.dirname, ".."),
    print: (text) => console.log(text),
    tell: (line) => console.error(line),
  });
} catch (error) {
  if (!(error instanceof FaultError || error instanceof ScriptFailed)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
