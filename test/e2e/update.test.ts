/** The weekly update of one group, by the real lock tool and uv, against a package index on loopback. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { LockProject } from "../support/lock-project.ts";
import { type Result, run } from "../support/process.ts";

const FOLDER = ".local/ci/updates";
const LOCK = "layers/locks/sample/layer5-perf.lock.json";

let project: LockProject;

interface LayersFile {
  flavors: Record<string, unknown>;
  layers: { smoke: unknown }[];
}

/** The flavor `sample` alone: the others ask the real index. */
function onlySample(text: string): string {
  const graph = JSON.parse(text) as LayersFile;
  const of = (smoke: unknown) => (Array.isArray(smoke) ? smoke : { sample: (smoke as Record<string, unknown>)["sample"] });
  return JSON.stringify({ ...graph, flavors: { sample: graph.flavors["sample"] }, layers: graph.layers.map((layer) => ({ ...layer, smoke: of(layer.smoke) })) });
}

function edit(file: string, change: (text: string) => string): void {
  writeFileSync(join(project.root, file), change(readFileSync(join(project.root, file), "utf8")));
}

before(async () => {
  project = await LockProject.create();
  edit("layers/layers.json", onlySample);
  // Its set-up has tests of its own.
  edit("package.json", (text) => text.replace(/"lock": ".*"/, '"lock": "node infra/lock.ts"'));
  for (const name of ["base", "tensor", "model", "kernel"]) project.index.wheel({ name, version: "1.0" });
  project.require({ layers: { "layer1-python": ["base"], "layer3-pytorch": ["tensor"], "layer4-deps": ["model"], "layer5-perf": ["kernel"] } });
  const { code, stderr } = await project.lock();
  assert.equal(code, 0, stderr);
  await project.git("add", "--all");
  await project.git("-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "--message", "locked");
});
after(() => project[Symbol.asyncDispose]());

async function update(group: string): Promise<Result> {
  await project.git("reset", "--quiet", "--hard");
  rmSync(join(project.root, FOLDER), { recursive: true, force: true });
  const kept = Object.entries(process.env).filter(([name]) => !/^(UV_|PIP_|NODE_TEST_CONTEXT|npm_)/.test(name)) as [string, string][];
  return run("node", ["infra/ci/update.ts", group, FOLDER], { cwd: project.root, allowFailure: true, env: { ...Object.fromEntries(kept), UV_DEFAULT_INDEX: project.index.url, UV_HTTP_RETRIES: "0" } });
}

const made = (file: string) => readFileSync(join(project.root, FOLDER, file), "utf8");

test("nothing newer: an empty patch", async () => {
  const { code, stderr } = await update("layer5-perf");
  assert.equal(code, 0, stderr);
  assert.equal(made("layer5-perf.patch"), "");
  assert.match(made("layer5-perf.md"), /Nothing to do/);
});

test("newer versions in two layers: each group's patch is its own lock alone, and its text says what is rebuilt", async () => {
  for (const name of ["kernel", "model"]) project.index.wheel({ name, version: "2.0" });
  const { code, stderr } = await update("layer5-perf");
  assert.equal(code, 0, stderr);
  const patch = made("layer5-perf.patch");
  assert.deepEqual([...patch.matchAll(/^diff --git a\/(\S+)/gm)].map(([, file]) => file), [LOCK]);
  assert.match(made("layer5-perf.md"), /^#### Flavor sample\n\n```\nNAME +OLD +NEW +LAYER\nkernel +1\.0 +2\.0 +layer5-perf\n[^]*layer2-wheels, layer5-perf, layer6-app\n```\n$/);
  await project.git("reset", "--quiet", "--hard");
  await project.git("apply", "--index", `${FOLDER}/layer5-perf.patch`);
  assert.deepEqual(project.locked()["layer5-perf"], ["kernel 2.0"]);
});

test("where the lock tool fails, nothing is handed on", async () => {
  project.index.mood = "html";
  const { code, stderr } = await update("layer5-perf");
  assert.equal(code, 1);
  assert.match(stderr, /error\[LOCK_[A-Z_]+\][^]*npm run --silent lock -- update kernel --flavor sample ended with 1/);
  assert.ok(!existsSync(join(project.root, FOLDER)));
});
