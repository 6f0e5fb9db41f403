/** All that a report tells, from the checkout, the stack's state and its build host. */
import { join } from "node:path";
import { z } from "zod";
import { type ImageAnswer, imageAnswer, type LayerAnswer, layerAnswer } from "../../answers.ts";
import type { BuildSettings } from "../../fingerprint.ts";
import { onClosure } from "../../layer-graph.ts";
import { type Reasons, reasonsOf } from "../../preview/reasons.ts";
import { builtLayers, type MeasuredRun, readHistory } from "../builds/runs.ts";
import type { OpenedStack } from "../stack.ts";
import type { CacheHealth } from "./cache.ts";
import { type Package, packagesOf } from "./packages.ts";

export interface ReportLayer {
  readonly name: string;
  /** What the last `up` left; undefined where it did not come so far. */
  readonly answer: LayerAnswer | undefined;
  readonly packages: readonly Package[];
  readonly runs: readonly MeasuredRun[];
  /** The newest run that built or fetched something; what was changed for it: undefined where it was the first on the host. */
  readonly rebuilt: { readonly at: string; readonly because: Reasons | undefined } | undefined;
  /** Its own store paths; undefined where they are no more in the build host's store. */
  readonly store: { readonly paths: number; readonly bytes: number; readonly largest: readonly { readonly path: string; readonly size: number }[] } | undefined;
}

export interface ReportData {
  readonly stack: string;
  readonly at: Date;
  readonly settings: BuildSettings;
  readonly image: ImageAnswer | undefined;
  /** In the image's order, the lowest first. */
  readonly layers: readonly ReportLayer[];
  /** Publishes, oldest first. */
  readonly images: readonly MeasuredRun[];
  readonly cache: CacheHealth;
}

const pathsAnswer = z.object({ layers: z.array(z.object({ name: z.string(), paths: z.number(), bytes: z.number(), largest: z.array(z.object({ path: z.string(), size: z.number() })) })) });

export async function readReport(stack: OpenedStack, root: string, cache: CacheHealth): Promise<ReportData> {
  const { name, plan, state } = stack;
  const { graph, settings } = plan;
  const layersDir = join(root, "layers");
  const commands = builtLayers(stack).map((command) => ({ ...command, answer: state.answer(command.name, layerAnswer) }));
  const { runs } = await readHistory(stack);
  const asked = commands.flatMap(({ layer, system, run, answer }) => {
    const below = new Set(onClosure(graph, layer.attr).flatMap(({ attr }) => (attr === layer.attr ? [] : [attr])));
    const paths = commands.flatMap((each) => (each.system === system && below.has(each.layer.attr) ? (each.answer?.storePath ?? []) : []));
    return answer === undefined ? [] : [{ name: run, storePath: answer.storePath, below: paths }];
  });
  const stored = await stack.onBuildHost("ops/layer-paths", { layers: asked }, pathsAnswer);
  const layers = commands.map(({ layer, run, answer }) => {
    const own = runs.get(run) ?? [];
    return { name: run, answer, packages: packagesOf(layersDir, settings.flavor, layer.attr), runs: own, rebuilt: lastRebuild(own), store: stored.layers.find((each) => each.name === run) };
  });
  return { stack: name, at: new Date(), settings, image: state.answer("comfyui-publish-image", imageAnswer), layers, images: runs.get("image") ?? [], cache };
}

export function lastRebuild(runs: readonly MeasuredRun[]): ReportLayer["rebuilt"] {
  const run = runs.findLast((each) => each.outcome === "done" && (each.built ?? 0) + (each.substituted ?? 0) > 0);
  if (run === undefined) return undefined;
  const { startedAt, changes } = run;
  return { at: startedAt, because: changes === null ? undefined : reasonsOf({ reasons: [], changes: changes.map(({ path, old, new: now }) => ({ path, old, new: now })) }) };
}
