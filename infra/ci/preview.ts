/**
 * `node infra/ci/preview.ts FILE`: shows `pulumi preview --diff` of the stack PULUMI_STACK in the log, and writes what a pull
 * request's comment says about it, and about its revision COMMIT, to FILE. Ends with the engine's exit code; FILE is there in
 * both cases.
 */
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { configInput, configSchema } from "../config.ts";
import { parsePreview, type Preview } from "../preview/steps.ts";
import { graphOfFlavor, readLayerGraph } from "../read-plan.ts";
import { previewComment } from "./preview-comment.ts";
import { environment, step, summarize } from "./runner.ts";

const root = join(import.meta.dirname, "../..");
const BASE = ["preview", "--non-interactive", "--color", "never"];

/** The engine's own words where it could not even begin, such as for want of access to the state. */
function readPreview({ stdout, stderr, status }: SpawnSyncReturns<string>): Preview {
  const preview = stdout.trimStart().startsWith("{") ? parsePreview(stdout) : { rows: new Map(), summary: {}, config: {}, errors: [] };
  const silent = status !== 0 && preview.errors.length === 0;
  return silent ? { ...preview, errors: [stderr.trim() || `pulumi ended with ${status} and said nothing`] } : preview;
}

/** Names of the commands of the layers that the stack's flavor has, by attr. A failed preview needs none, and may have failed for want of them. */
function layerCommands({ errors, config }: Preview): Map<string, string> {
  if (errors.length > 0) return new Map();
  const layersDir = join(root, "layers");
  const { kind } = configSchema.shape.flavor.parse(configInput(config)["flavor"]);
  const graph = graphOfFlavor(readLayerGraph(layersDir), kind, layersDir);
  return new Map(graph.layers.map(({ attr }) => [attr, `comfyui-${attr}`]));
}

function main(file: string | undefined): number {
  if (file === undefined) throw new Error("usage: node infra/ci/preview.ts FILE");
  const env = environment("PULUMI_STACK", "COMMIT", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID");
  const runUrl = `${env.GITHUB_SERVER_URL}/${env.GITHUB_REPOSITORY}/actions/runs/${env.GITHUB_RUN_ID}`;
  spawnSync("pulumi", [...BASE, "--diff"], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  const result = spawnSync("pulumi", [...BASE, "--json"], { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 });
  const preview = readPreview(result);
  const text = previewComment({ stack: env.PULUMI_STACK, commit: env.COMMIT, runUrl, layers: layerCommands(preview), preview });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  summarize(text);
  return result.status ?? 1;
}

await step(() => main(process.argv[2]));
