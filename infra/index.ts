import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { cacheAnswer, parseAnswer } from "./answers.ts";
import { openBinaryCache } from "./binary-cache.ts";
import { openBuildHost } from "./build-host.ts";
import { openBuilders } from "./builders.ts";
import { configInput, secretSections } from "./config.ts";
import { reportFailedCommandsInOneLine } from "./failed-commands.ts";
import { FaultError } from "./faults.ts";
import { imageLayers } from "./fingerprint.ts";
import { Layers } from "./layers.ts";
import { Publish } from "./publish.ts";
import { readPlan } from "./read-plan.ts";
import { needsGpu } from "./layer-graph.ts";
import { runnable } from "./snippets/runnable.ts";
import { snippets } from "./snippets/snippets.ts";
import { hostRequest, openCacheRequest, type Plan } from "./request.ts";

/** Prefix of every resource's name: a contract, since a renamed resource would be built again. */
const name = "comfyui";
const root = join(import.meta.dirname, "..");

function planOrStop(): Plan {
  try {
    return readPlan(join(root, "layers"), configInput(pulumi.runtime.allConfig()), secretSections(process.env));
  } catch (error) {
    // A RunError is shown as it is, without a stack trace.
    if (error instanceof FaultError) throw new pulumi.RunError(`\n${error.message}`);
    throw error;
  }
}

reportFailedCommandsInOneLine();
const plan = planOrStop();
const stack = pulumi.getStack();
const { host, ready: reached } = openBuildHost(`${name}-build-host`, { plan, root, stack });
const ready = host.run(`${name}-host`, { script: "ready", request: hostRequest(plan.config, plan.settings), release: "release" }, { dependsOn: [...reached] });
const opened = host.run(
  `${name}-cache`,
  { script: "open-cache", request: openCacheRequest(plan.config, stack), secret: plan.config.binaryCache.kind !== "directory" },
  { dependsOn: [ready.resource] },
);
const cacheHost = openBinaryCache(`${name}-binary-cache`, { plan, root, opened });
const builders = openBuilders(`${name}-builder`, { plan, host: ready });
const built = new Layers(name, { host, plan, ready: [opened.resource, ...cacheHost, ...builders] });
const published = new Publish(`${name}-publish`, {
  host,
  plan,
  layers: imageLayers(plan.graph).map(({ attr }) => built.commands.get(attr) as pulumi.Resource),
});

export const layers = built.outputs;
export const image = published.answer;
export const cache = opened.answer.apply((text) => parseAnswer(cacheAnswer, text));
export const run = image.apply((answer) => {
  const { flavor, compression } = plan.settings;
  return snippets(runnable(answer, { flavor, compression, gpu: needsGpu(plan.graph, flavor) }));
});
