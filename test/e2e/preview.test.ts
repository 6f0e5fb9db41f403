/** What a preview says is what runs: for an edit of each layer, of what all share, and of what none reads. */
import assert from "node:assert/strict";
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { blobsSize } from "../../infra/answers.ts";
import { onClosure } from "../../infra/layer-graph.ts";
import { changedFiles } from "../../infra/preview/steps.ts";
import { graphOfFlavor, readLayerGraph } from "../../infra/read-plan.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { setCheck } from "../support/layer-edits.ts";
import { outputs } from "../support/outputs.ts";
import { preview, previewDiff, startUp, up } from "../support/pulumi.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

const layersDir = `${CHECKOUT}/layers`;
const graph = graphOfFlavor(readLayerGraph(layersDir), "sample", layersDir);
const PUBLISH = "comfyui-publish-image";

type Outputs = Awaited<ReturnType<typeof outputs>>;

/** The commands that an edit of one layer's own input has to run: the layer, all on it, and publish where it is a blob. */
function expected(attr: string): string[] {
  const dragged = graph.layers.filter((layer) => onClosure(graph, layer.attr).some((below) => below.attr === attr));
  const publish = dragged.some(({ blob }) => blob) ? [PUBLISH] : [];
  return [...dragged.map((layer) => `comfyui-${layer.attr}`), ...publish].sort();
}

interface LayerEdit {
  readonly file: string;
  /** Text for the file's end; default: the layer's module gets another check, which builds it anew. */
  readonly text?: string;
  /** What the edit means to Nix: something else to build, or the same as before. */
  readonly changes: "content" | "nothing";
}

/** One edit for each layer: of its code in Nix (a comment, so nothing is built again), and of content where that is quick. */
const EDITS: Readonly<Record<string, LayerEdit>> = {
  "layer0-base": { file: "layer0-base/default.nix", text: "# an edit\n", changes: "nothing" },
  "layer1-python": { file: "locks/sample/layer1-python.lock.json", text: "\n", changes: "nothing" },
  "layer2-wheels": { file: "layer2-wheels/default.nix", text: "# an edit\n", changes: "nothing" },
  "layer3-pytorch": { file: "layer3-pytorch/default.nix", text: "# an edit\n", changes: "nothing" },
  "layer4-deps": { file: "layer4-deps/default.nix", text: "# an edit\n", changes: "nothing" },
  "layer5-perf": { file: "layer5-perf/default.nix", changes: "content" },
  "layer6-app": { file: "layer6-app/app/page.html", text: "<!-- an edit -->\n", changes: "content" },
};

/** Config and manifest of the image: what a publish sends where every blob is there. */
const SMALL = 20_000;

/** What the `up` after an edit built and sent, by its outputs. */
async function assertBuilt(sandbox: Sandbox, attr: string, { changes }: LayerEdit, before: Outputs): Promise<void> {
  const after = await outputs(sandbox);
  const dragged = expected(attr).flatMap((name) => (name === PUBLISH ? [] : [name.slice("comfyui-".length)]));
  let blobs = 0;
  for (const name of dragged) {
    const [old, now] = [before.layers[name], after.layers[name]];
    assert.notEqual(now?.fingerprint, old?.fingerprint, name);
    assert.equal((now?.built ?? 0) > 0, changes === "content", `${name} built ${now?.built}`);
    assert.equal(now?.reused, changes === "nothing", name);
    const same = isDeepStrictEqual(now?.blobs, old?.blobs);
    // A layer on the edited one is built again, which need not change its own files.
    if (name === attr || changes === "nothing") assert.equal(same, changes === "nothing", name);
    blobs += now && !same ? blobsSize(now) : 0;
  }
  for (const name of Object.keys(after.layers)) if (!dragged.includes(name)) assert.deepEqual(after.layers[name], before.layers[name]);
  if (!expected(attr).includes(PUBLISH)) return assert.deepEqual(after.image, before.image);
  assert.notEqual(after.image.tag, before.image.tag);
  assert.ok(after.image.sentBytes > blobs && after.image.sentBytes < blobs + SMALL, `${after.image.sentBytes} bytes were sent, for blobs of ${blobs}`);
}

function edit(sandbox: Sandbox, file: string, text: string): void {
  appendFileSync(sandbox.host(`layers/${file}`), text);
}

test("an edit of any layer: the preview shows that layer, those on it, and publish; names the file; up runs exactly these", async (t) => {
  await using sandbox = await warmSandbox();
  assert.deepEqual(Object.keys(EDITS), graph.layers.map(({ attr }) => attr));
  for (const [attr, change] of Object.entries(EDITS)) {
    const { file, text } = change;
    await t.test(`${attr}: ${file} (changes ${change.changes})`, async () => {
      const before = await outputs(sandbox);
      if (text === undefined) setCheck(sandbox.host("layers"), attr, "true");
      else edit(sandbox, file, text);
      const { rows } = await preview(sandbox);
      assert.deepEqual([...rows.keys()].sort(), expected(attr));
      assert.deepEqual(new Set([...rows.values()].map(({ op }) => op)), new Set(["update"]));
      // A lock is an input of layer 2 as well as of the layer that installs from it; here each file is one layer's own.
      assert.deepEqual(changedFiles(rows.get(`comfyui-${attr}`)), [file]);
      for (const [name, row] of rows) {
        const why = row.changes.map(({ path }) => path.join("/")).filter((path) => /^(inputs|on|layers)\//.test(path));
        const known = name === PUBLISH ? /^layers\// : /^on\//;
        if (name !== `comfyui-${attr}`) assert.ok(why.length > 0 && why.every((path) => known.test(path)), `${name}: ${why.join(", ")}`);
      }
      const update = await up(sandbox);
      assert.deepEqual(update.ran, expected(attr));
      await assertBuilt(sandbox, attr, change, before);
    });
  }
  await t.test("then there is nothing left to do", async () => assert.equal((await preview(sandbox)).rows.size, 0));
});

/** As the workflow makes it, for an edit of this lock, which layer 2 and layer 5 read. */
async function assertComment(sandbox: Sandbox, lock: string): Promise<void> {
  const env = { COMMIT: "0123456789abcdef", GITHUB_SERVER_URL: "https://forge.example", GITHUB_REPOSITORY: "o/r", GITHUB_RUN_ID: "7", GITHUB_STEP_SUMMARY: `${sandbox.at}/tmp/summary.md` };
  const { stdout } = await sandbox.run("node", ["infra/ci/preview.ts", ".local/ci/preview.md"], { env });
  assert.match(stdout, /~ 4 to update/);
  const text = readFileSync(sandbox.host(".local/ci/preview.md"), "utf8");
  assert.match(text, /^<!-- preview of stack local -->\n\n### Preview of stack `local`: 3 of 7 layers run, the image is published\n/);
  assert.deepEqual([...text.matchAll(/^ {2}\S+\["(\S+)<br\/>runs, [\d.]+ s"\]:::runs$/gm)].map(([, name]) => name), ["layer2-wheels", "layer5-perf", "layer6-app", "publish"], text);
  const runs = text.split("\n").filter((line) => line.includes("**runs**")).map((line) => line.replace(/[0-9a-f]{7} → [0-9a-f]{7}/, "OLD → NEW").replace(/[\d.]+ s/, "N s").replace(/[\d.]+ [kM]B/, "N B"));
  assert.deepEqual(runs, [
    `| layer2-wheels | **runs** | N s |  | \`${lock}\` OLD → NEW |`,
    `| layer5-perf | **runs** | N s | N B | \`${lock}\` OLD → NEW |`,
    "| layer6-app | **runs** | N s | N B | on `layer5-perf` |",
    "| publish | **runs** | N s | N B | on `layer5-perf`, `layer6-app` |",
  ]);
  assert.match(text, /<sub>`pulumi preview --diff` of stack `local` at 0123456789ab · \[whole output\]\(https:\/\/forge\.example\/o\/r\/actions\/runs\/7\) · Engine: Pulumi 3\.\d+\.\d+ with [^<]+<\/sub>\n$/);
  assert.equal(readFileSync(sandbox.host(`${sandbox.at}/tmp/summary.md`), "utf8"), `${text.trimEnd()}\n\n`);
}

test("an edit of what all layers share shows them all; an edit outside of all inputs shows nothing", async (t) => {
  await using sandbox = await warmSandbox();
  await t.test("outside", async () => {
    for (const file of ["README.md", "layers/apps/load.sh", "infra/hosts/build-layer.sh", "infra/hosts/common.sh", "test/run.ts"]) appendFileSync(sandbox.host(file), "\n");
    writeFileSync(sandbox.host("layers/new-file.nix"), "{ }\n");
    assert.equal((await preview(sandbox)).rows.size, 0);
  });
  await t.test("of two layers: a lock that layer 2 gets its wheels by, and layer 5 its content", async () => {
    const file = "locks/sample/layer5-perf.lock.json";
    const text = readFileSync(sandbox.host(`layers/${file}`), "utf8");
    edit(sandbox, file, "\n");
    const { rows } = await preview(sandbox);
    assert.deepEqual([...rows.keys()].sort(), ["comfyui-layer2-wheels", "comfyui-layer5-perf", "comfyui-layer6-app", PUBLISH]);
    for (const name of ["comfyui-layer2-wheels", "comfyui-layer5-perf"]) assert.deepEqual(changedFiles(rows.get(name)), [file]);
    await assertComment(sandbox, file);
    writeFileSync(sandbox.host(`layers/${file}`), text);
  });
  await t.test("shared", async () => {
    edit(sandbox, "lib/layer.nix", "# an edit\n");
    const { rows } = await preview(sandbox);
    assert.deepEqual([...rows.keys()].sort(), [...graph.layers.map(({ attr }) => `comfyui-${attr}`), PUBLISH].sort());
    for (const { attr } of graph.layers) assert.deepEqual(changedFiles(rows.get(`comfyui-${attr}`)), ["lib/layer.nix"]);
  });
  await t.test("a person reads the file's name, its old and its new digest", async () => {
    assert.match(await previewDiff(sandbox), /~ lib\/layer\.nix +: "[0-9a-f]{12}" => "[0-9a-f]{12}"/);
  });
});

test("a file changed while up runs is caught and named, and never recorded under the old key", async () => {
  await using sandbox = await warmSandbox();
  const before = (await outputs(sandbox)).layers["layer6-app"];
  edit(sandbox, "layer6-app/app/page.html", "<!-- seen by the preview -->\n");
  const logs = () => readdirSync(sandbox.host(".local/host/logs/layer6-app")).length;
  const builds = logs();
  // The layer's script waits for the lock when the program has read its sources already.
  const holder = sandbox.start("flock", [".local/host/locks/layer6-app.lock", "sh", "-c", "echo locked; exec sleep 600"]);
  await holder.outputMatches(/locked/, 10_000);
  const started = await startUp(sandbox, { allowFailure: true });
  await started.running.outputMatches(/joining the build that is running already/, 60_000);
  edit(sandbox, "layer6-app/app/page.html", "<!-- too late -->\n");
  await holder.stop();
  const update = await started.finish();
  assert.equal(update.result, "failed");
  assert.match(update.process.stdout, /error\[LAYER_SOURCES_CHANGED\]: sources changed during up: layer6-app\/app\/page\.html/);
  assert.equal(logs(), builds, "nothing was built");

  // Here as on a host on EC2 whose metrics get nowhere: no layer fails for that.
  writeFileSync(sandbox.host(`${sandbox.at}/tmp/instance.json`), JSON.stringify({ region: "us-east-1", namespace: "comfyui/test", metrics: { disk: false, work: true } }));
  const nowhere = { COMFYUI_INSTANCE: `${sandbox.at}/tmp/instance.json`, AWS_ENDPOINT_URL: "http://127.0.0.1:9", AWS_ACCESS_KEY_ID: "none", AWS_SECRET_ACCESS_KEY: "none" };
  const mended = await up(sandbox, { env: nowhere });
  assert.deepEqual(mended.ran, ["comfyui-layer6-app", PUBLISH]);
  assert.match(mended.process.stdout, /layer6-app: its metrics did not get to CloudWatch/);
  const after = (await outputs(sandbox)).layers["layer6-app"];
  assert.notEqual(after?.fingerprint, before?.fingerprint);
  const { stdout } = await sandbox.bash(`grep -rl "too late" $(nix-store --query --requisites ${after?.storePath} | grep comfyui-program)`);
  assert.match(stdout, /page\.html/);
});
