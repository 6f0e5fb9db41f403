/**
 * `npm run quickstart`: after set-up, one `pulumi up` of the stack `local` without a question, and what came of it: a table
 * of the layers, where the image is, and the command that runs it.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { cacheAnswer, imageAnswer, layerAnswer, parseAnswer } from "./answers.ts";
import { configInput, configSchema } from "./config.ts";
import { configOf, nothingDone, readEvents, type ResourceRun } from "./quickstart/events.ts";
import { pulumiShown } from "./quickstart/pulumi-cli.ts";
import { findEngine, runCommand } from "./quickstart/run-command.ts";
import { type LayerRow, type Summary, summaryText } from "./quickstart/summary.ts";
import { engineWords, findPieces } from "./pulumi/pieces.ts";
import { type LayerGraph, needsGpu } from "./layer-graph.ts";
import { graphOfFlavor, readLayerGraph } from "./read-plan.ts";
import { recover } from "./recover.ts";
import { runnable } from "./snippets/runnable.ts";
import { layerCommands } from "./system-names.ts";
import { styleFor } from "./table.ts";

const root = join(import.meta.dirname, "..");
const stack = "local";

/** Runs the update on this terminal; answers its exit code and the engine's events. */
async function up(): Promise<{ code: number; log: string }> {
  const file = join(root, ".local/host/logs/quickstart-events.jsonl");
  mkdirSync(join(file, ".."), { recursive: true });
  rmSync(file, { force: true });
  const args = ["up", "--yes", "--skip-preview", "--suppress-outputs", "--suppress-progress", "--stack", stack, "--event-log", file];
  // On a terminal pulumi draws a live tree; elsewhere plain lines.
  if (!process.stdout.isTTY) args.push("--non-interactive");
  // The option is one of those that the CLI shows to programs only, such as Pulumi's own Automation API.
  const code = await pulumiShown(args, root, { ...process.env, PULUMI_DEBUG_COMMANDS: "true" });
  return { code, log: existsSync(file) ? readFileSync(file, "utf8") : "" };
}

function answerOf<T>(schema: z.ZodType<T>, run: ResourceRun | undefined): T | undefined {
  return run?.stdout === undefined ? undefined : parseAnswer(schema, run.stdout);
}

function layerRows(graph: LayerGraph, systems: readonly string[], runs: ReadonlyMap<string, ResourceRun>): LayerRow[] {
  return layerCommands(graph, systems).map(({ name, label }) => {
    const run = runs.get(name);
    const answer = answerOf(layerAnswer, run);
    return { label, ...(run && { run }), ...(answer && { answer }) };
  });
}

function summarize(log: string, succeeded: boolean): Omit<Summary, "seconds" | "engine"> {
  const runs = readEvents(log);
  const config = configInput(configOf(log));
  const flavor = configSchema.shape.flavor.parse(config["flavor"]).kind;
  const compression = configSchema.shape.compression.parse(config["compression"]).kind;
  const layersDir = join(root, "layers");
  const graph = graphOfFlavor(readLayerGraph(layersDir), flavor, layersDir);
  const layers = layerRows(graph, configSchema.shape.systems.parse(config["systems"]), runs);
  const publish = runs.get("comfyui-publish-image");
  const image = answerOf(imageAnswer, publish);
  const cache = answerOf(cacheAnswer, runs.get("comfyui-cache"));
  // Of the first system, which is this machine's own.
  const top = layers[graph.layers.length - 1]?.answer;
  const startable = succeeded && image && top && { engine: findEngine(), image: runnable(image, { flavor, compression, gpu: needsGpu(graph, flavor) }), storePath: top.storePath };
  return {
    layers,
    nothingDone: nothingDone(runs),
    ...(publish && { publish }),
    ...(image && { image }),
    ...(cache && { cache }),
    ...(startable && { runCommand: runCommand(startable) }),
  };
}

async function main(): Promise<number> {
  const started = Date.now();
  await recover({ root, stack, force: false, say: (line) => console.log(line) });
  const [{ code, log }, pieces] = await Promise.all([up(), findPieces()]);
  const summary = { ...summarize(log, code === 0), engine: engineWords(pieces), seconds: (Date.now() - started) / 1000 };
  console.log(`\n${summaryText(summary, styleFor(process.stdout, process.env))}`);
  return code;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
