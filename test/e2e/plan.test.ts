/**
 * `ops plan` says what `pulumi up` then does, for random edits of the layers and of the configuration; a yes to an image that has
 * grown is in no plan.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { appendFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Changes, CommandChange } from "../../infra/preview/changes.ts";
import { applyEdit, describeEdit, type Entry, listEntries, planEdits } from "../support/edits.ts";
import { setCheck } from "../support/layer-edits.ts";
import { outputs } from "../support/outputs.ts";
import type { Result } from "../support/process.ts";
import { up } from "../support/pulumi.ts";
import { Random, testSeed } from "../support/random.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { configure } from "../support/stack-config.ts";
import { warmSandbox } from "../support/warm.ts";

const seed = testSeed("plan");

let sandbox: Sandbox;
before(async () => {
  sandbox = await warmSandbox();
});
after(() => sandbox.stop());

function plan(...args: string[]): Promise<Result> {
  return sandbox.run("node", ["infra/ops.ts", "plan", ...args], { allowFailure: true });
}

const running = ({ layers, publish }: Changes): CommandChange[] => [...layers, publish].filter((each) => each?.runs === true) as CommandChange[];

/** Edits whose `up` is quick: what Nix evaluates anew and finds built, what it does not read, and a small layer's contents. */
function edit(entries: readonly Entry[], random: Random): string {
  const layers = sandbox.host("layers");
  if (random.chance(0.3)) {
    const layer = random.pick(["layer5-perf", "layer6-app"]);
    setCheck(layers, layer, `: ${random.word()}`);
    return `another check of ${layer}`;
  }
  const [one] = planEdits(random.word(), entries, 1, ["change"]);
  if (one === undefined) throw new Error("no edit was planned");
  applyEdit(layers, one);
  return describeEdit(one);
}

const QUICK = /^(layer\d-[a-z]+\/default\.nix|(locks|flavors)\/sample\/.*\.json|lib\/[a-z-]+\.nix|apps\/.*|package-sets\/nixpkgs\/.*)$/;

/** The configuration of each round: each is another than the one before for the host's command; growth is in no key. */
const SETTINGS: readonly object[] = [{ destroy: { image: "delete" } }, { destroy: { image: "delete" }, registry: { kind: "oci-directory", path: ".local/elsewhere" } }, { growth: { percent: 3 } }];

test(`random edits (seed ${seed}): the plan names what up then runs, and nothing else; exit codes`, async (t) => {
  await t.test("0: nothing to do", async () => {
    const { code, stdout } = await plan();
    assert.deepEqual([code, stdout.split("\n")[0]], [0, "Stack local: nothing to do"]);
    assert.equal(stdout.match(/ unchanged /g)?.length, 8);
    assert.match(stdout, /\nEngine: Pulumi 3\.\d+\.\d+ with (its own language host and command plugin|this project's stand-ins? for [^]+)\n$/);
  });
  const random = new Random(seed);
  const all = listEntries(sandbox.host("layers"), (path) => path.endsWith("/") || QUICK.test(path));
  for (const [at, settings] of SETTINGS.entries()) {
    // The lowest layers and what all share take all others along: once is enough for the machine.
    const entries = at === 0 ? all : all.filter(({ path }) => !/^(lib|layer[01]-)/.test(path));
    const edits = Array.from({ length: 2 + random.below(3) }, () => edit(entries, random));
    configure(sandbox, settings as Record<string, unknown>);
    await t.test(`${edits.join("; ")}; ${JSON.stringify(settings)}`, () => assertPlanned());
  }
  await t.test("2: changes, by the stack's name, as Markdown", async () => {
    appendFileSync(sandbox.host("layers/layer6-app/app/page.html"), "<!-- an edit -->\n");
    const { code, stdout } = await plan("--stack", "local", "--markdown");
    assert.equal(code, 2);
    assert.match(stdout, /^<!-- preview of stack local -->\n\n### Preview of stack `local`: 1 of 7 layers runs, the image is published\n\n```mermaid\n/);
    assert.match(stdout, /^- Time: about [\d.]+ s, as the last time: `layer6-app` → `publish`$/m);
  });
  await t.test("OPS_PREVIEW, 1: the engine's own errors", async () => {
    configure(sandbox, { registry: { kind: "oci-directory", path: "../out" } });
    const { code, stdout, stderr } = await plan("--markdown");
    assert.equal(code, 1);
    assert.match(stdout, /^<!-- preview of stack local -->\n\n### Preview of stack `local`: failed\n\n```\n[^]*error\[CONFIG_PATH\]: comfyui:registry\.path/);
    assert.match(stderr, /^error\[OPS_PREVIEW\]: stack local: the engine's preview failed\n {2}found: {4}[^]*error\[CONFIG_PATH\]: comfyui:registry\.path/m);
  });
});

async function assertPlanned(): Promise<void> {
  const { code, stdout } = await plan("--json");
  assert.equal(code, 2);
  const changes = JSON.parse(stdout) as Changes;
  assert.match(changes.engine.cli.version, /^3\.\d+\.\d+$/);
  assert.equal(changes.engine.commandPlugin?.version, "1.2.1");
  const before = await outputs(sandbox);
  const update = await up(sandbox);
  assert.deepEqual([...running(changes), ...changes.others].map(({ resource }) => resource).sort(), update.ran);
  assert.deepEqual(changes.others.map(({ resource, effect }) => [resource, effect]), [["comfyui-host", "runs"]]);
  for (const { layer, runs, last, because } of changes.layers) {
    assert.equal(last?.seconds, before.layers[layer]?.seconds, layer);
    assert.equal(runs, because.files.length + because.below.length > 0, `${layer}: ${JSON.stringify(because)}`);
  }
  if (!changes.publish?.runs) return;
  // A layer that is built anew is about as large as before.
  const most = (changes.publish.sends.bytes ?? 0) * 1.5 + 40_000;
  const { image } = await outputs(sandbox);
  assert.ok(image.sentBytes <= most, `${image.sentBytes} bytes were sent, where ${most} were the most`);
}

/** Makes layer 6, and so the image, this much larger. */
function grow(bytes: number): void {
  writeFileSync(sandbox.host("layers/layer6-app/app/ballast.bin"), randomBytes(bytes));
}

const PUBLISH = "comfyui-publish-image";

test("PUBLISH_GROWTH: an image that has grown wants a yes, which runs the refused publish, and nothing else, then or later", async () => {
  configure(sandbox, { growth: { percent: 3 } });
  grow(4_000_000);
  const refused = await up(sandbox, { allowFailure: true });
  assert.equal(refused.result, "failed");
  const [, tag] = /error\[PUBLISH_GROWTH\]: the image ([0-9a-f]{12}) has grown by more than comfyui:growth\.percent allows/.exec(refused.process.stdout) ?? [];
  assert.match(refused.process.stdout, /found: +the image 6[\d.]+ MB -> \d+(\.\d)? MB \(\+\d+ %\); layer6-app [\d.]+ MB -> [\d.]+ MB \(\+\d+ %\)\n/);
  assert.match(refused.process.stdout, new RegExp(`fix: .*COMFYUI_ACCEPT_GROWTH=1 pulumi up; .*comfyui:growth\\.accept ${tag}`));
  assert.deepEqual((await up(sandbox, { env: { COMFYUI_ACCEPT_GROWTH: "1" } })).ran, [PUBLISH]);
  configure(sandbox, {});
  assert.equal((await plan()).code, 0, "neither the yes nor the configuration is anything to do");
});
