import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { cacheAnswer, parseAnswer } from "./answers.ts";
import { openBinaryCache } from "./binary-cache.ts";
import { openBuildHost } from "./build-host.ts";
import { openBuilders } from "./builders.ts";
import { configInput, secretSections, type StackConfig } from "./config.ts";
import { usesOfAws, withoutAws } from "./config/aws-parts.ts";
import { reportFailedCommandsInOneLine } from "./failed-commands.ts";
import { FaultError } from "./faults.ts";
import { buildLayers } from "./layers.ts";
import { needPlugins } from "./plugins.ts";
import { Publish } from "./publish.ts";
import { readPlan } from "./read-plan.ts";
import { needsGpu } from "./layer-graph.ts";
import { runnable } from "./snippets/runnable.ts";
import { snippets } from "./snippets/snippets.ts";
import { hostRequest, openCacheRequest, opensBySecret, type Plan } from "./request.ts";

/** Prefix of every resource's name: a contract, since a renamed resource would be built again. */
const name = "comfyui";
const root = join(import.meta.dirname, "..");

function planOrStop(): Plan<StackConfig> {
  try {
    const plan = readPlan(join(root, "layers"), configInput(pulumi.runtime.allConfig()), secretSections(process.env));
    needPlugins([...(usesOfAws(plan.config).length > 0 ? ["aws"] : []), ...(plan.config.verify.kind === "container" ? ["docker"] : [])]);
    return plan;
  } catch (error) {
    // A RunError is shown as it is, without a stack trace.
    if (error instanceof FaultError) throw new pulumi.RunError(`\n${error.message}`);
    throw error;
  }
}

// Pulumi notes a stack trace for each of its promises, and has it translated by source maps, which our files do not have:
// that took a fifth of a preview.
Reflect.deleteProperty(Error, "prepareStackTrace");
reportFailedCommandsInOneLine();
const read = planOrStop();
const stack = pulumi.getStack();
// Read only where it is needed: other stacks have no use for AWS, and its SDK and its plugin are large.
const onAws = usesOfAws(read.config).length === 0 ? undefined : await (await import("./aws/plane.ts")).openAws(name, { config: read.config, stack, layers: read.graph.layers.length });
const plan: Plan = { ...read, config: onAws?.config ?? withoutAws(read.config) };
const { host, ready: reached, options } = openBuildHost(`${name}-build-host`, { plan, root, stack, machine: onAws?.buildHost });
const ready = host.run(`${name}-host`, { script: "ready", request: hostRequest(plan.config, plan.settings), release: "release" }, { ...options, dependsOn: [...reached] });
const opened = host.run(
  `${name}-cache`,
  { script: "open-cache", request: openCacheRequest(plan.config, stack), secret: opensBySecret(plan.config.binaryCache) },
  { ...options, dependsOn: [ready.resource, ...(onAws?.cache ?? [])] },
);
const cacheHost = openBinaryCache(`${name}-binary-cache`, { plan, opened, machine: onAws?.cacheHost });
const builders = openBuilders(`${name}-builder`, { plan, host: ready, machines: onAws?.builders });
const built = buildLayers(name, { host, plan, ready: [opened.resource, ...cacheHost, ...builders] });
const published = new Publish(`${name}-publish`, {
  host,
  plan,
  layers: built.blobs,
  registry: onAws?.registry ?? [],
});

const layers = built.outputs;
const image = published.answer;
const cache = opened.answer.apply((text) => parseAnswer(cacheAnswer, text));
const { flavor, compression } = plan.settings;
const runs = image.apply((answer) => runnable(answer, { flavor, compression, gpu: needsGpu(plan.graph, flavor) }));
const run = runs.apply(snippets);
const { verify } = plan.config;
if (verify.kind === "container") {
  const { Verify } = await import("./verify.ts");
  new Verify(`${name}-verify`, { plan, verify, image: runs.apply((each) => each.image), machine: onAws?.buildHost });
}

/** The stack's outputs; those of a stack on AWS say what it costs. */
export default { layers, image, cache, run, ...(onAws && { estimate: onAws.estimate }) };
