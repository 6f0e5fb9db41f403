/** `npm run lock`: what is locked for a flavor. infra/lock/arguments.ts has the commands. */
import { join, resolve } from "node:path";
import { FaultError } from "./faults.ts";
import { parseArguments } from "./lock/arguments.ts";
import { type Context, runCommand } from "./lock/commands.ts";
import { requirementsPath } from "./lock/flavor-files.ts";
import { IndexClient } from "./lock/index-client.ts";
import { indexUrl } from "./lock/index-url.ts";
import { progressOn } from "./lock/progress.ts";
import { readProvided } from "./lock/provided.ts";
import { resolveWithUv } from "./lock/uv.ts";
import { readLayerGraph } from "./read-plan.ts";
import { styleFor } from "./table.ts";

const root = resolve(import.meta.dirname, "..");

const progress = progressOn(process.stderr);

const world: Context["world"] = async (files, tree = root) => {
  const index = await indexUrl();
  const settings = { index, cache: join(root, ".local/uv-cache") };
  return {
    resolver: (question) => resolveWithUv(question, settings, `layers/${requirementsPath(files.flavor)}`),
    client: new IndexClient(index),
    progress,
    provided: await readProvided(files, tree, progress),
  };
};

try {
  const command = parseArguments(process.argv.slice(2));
  await runCommand(command, { root, graph: readLayerGraph(join(root, "layers")), world, progress, print: (text) => console.log(text), style: styleFor(process.stdout, process.env) });
} catch (error) {
  if (!(error instanceof FaultError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
