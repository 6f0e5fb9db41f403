/** `npm run ops`: what the operators and the reviewers of a stack do. infra/ops/program.ts has the commands. */
import { join } from "node:path";
import { opsExitCode } from "./ops/program.ts";
import { styleFor } from "./table.ts";

process.exitCode = await opsExitCode(process.argv.slice(2), {
  root: join(import.meta.dirname, ".."),
  env: process.env,
  style: styleFor(process.stdout, process.env),
  width: process.stdout.columns ?? 80,
  tell: (line) => console.error(line),
  show: (text) => process.stdout.write(text),
});
