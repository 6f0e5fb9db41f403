/**
 * The real ComfyUI, flavor `pypi`: built, published and booted on a CPU. Downloads 3 GB once (kept in the test cache), needs
 * about 40 GB of disk, and takes a quarter of an hour.
 *   COMFYUI_SOURCE   folder with any checkout of ComfyUI: a copy of the flavor is locked for it. Default: the locked revision, from
 *                    where the lock says
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { performance } from "node:perf_hooks";
import { after, before, test } from "node:test";
import { blobsSize } from "../../infra/answers.ts";
import { parseLockFile } from "../../infra/lock/lock-file.ts";
import { protocol } from "../../infra/request.ts";
import { startBrowser } from "../support/browser.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { lockPypi, readComfyui, requirementsFor, withComfyui } from "../support/comfyui-source.ts";
import { Docker } from "../support/docker.ts";
import { newestLog } from "../support/host-scripts.ts";
import { firstAnswer } from "../support/http.ts";
import { outputs } from "../support/outputs.ts";
import { freePort } from "../support/ports.ts";
import type { Result, RunOptions } from "../support/process.ts";
import { preview, up } from "../support/pulumi.ts";
import { Registry } from "../support/registry.ts";
import { EMPTY_STORE, Sandbox } from "../support/sandbox.ts";
import { configure } from "../support/stack-config.ts";
import { downloads } from "../support/test-cache.ts";

const HOUR = 3600_000;
/** How long the program and its page may take to come up on a busy machine, in seconds. */
const PATIENCE = 600;
const artifacts = join(CHECKOUT, ".local/artifacts");

let sandbox: Sandbox;
let registry: Registry;
let docker: Docker;

function locked(layer: string, name: string) {
  const { files } = parseLockFile(readFileSync(sandbox.host(`layers/locks/pypi/${layer}.lock.json`), "utf8"), layer);
  const file = files.find((each) => each.name === name);
  assert.ok(file, `${name} is locked in ${layer}`);
  return file;
}

/** What set-up asks for; `folder`: a checkout in place of the lock's site. */
function prefetch(folder: string | undefined, options: RunOptions = {}): Promise<Result> {
  const sources = folder === undefined ? [] : [`comfyui=${folder}`];
  const input = JSON.stringify({ protocol, flavor: "pypi", relock: true, sources });
  // How this machine reaches its package indexes may be written in its user's home.
  return sandbox.run("bash", ["infra/hosts/prefetch.sh"], { input, env: { HOME: process.env.HOME ?? "/root" }, timeout: HOUR, ...options });
}

before(async () => {
  const source = process.env.COMFYUI_SOURCE === undefined ? undefined : resolve(process.env.COMFYUI_SOURCE);
  assert.ok(source === undefined || existsSync(join(source, "comfyui_version.py")), `COMFYUI_SOURCE: ${source} is no checkout of ComfyUI`);
  mkdirSync(artifacts, { recursive: true });
  mkdirSync(downloads(), { recursive: true });
  sandbox = await Sandbox.create({ store: EMPTY_STORE });
  if (source !== undefined) {
    const checkout = await readComfyui(sandbox, source);
    await lockPypi(sandbox, (flavor) => requirementsFor(flavor, checkout));
  }
  const { code, stderr } = await prefetch(source, { allowFailure: true });
  assert.equal(code, 0, `${stderr}${source === undefined ? "\nWhere the site of ComfyUI is out of reach: COMFYUI_SOURCE=FOLDER npm run test:full, with any checkout of it" : ""}`);
  registry = await Registry.start();
  docker = await Docker.start("newer");
  configure(sandbox, { flavor: { kind: "pypi" }, registry: { kind: "registry", repository: `${registry.address}/comfyui`, tls: false } });
}, { timeout: 2 * HOUR });

after(async () => {
  await docker?.stop();
  await registry?.stop();
  await sandbox?.stop();
});

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

test("a first up builds and publishes it", { timeout: HOUR }, async (t) => {
  const started = performance.now();
  await up(sandbox, { timeout: HOUR });
  const { layers, image } = await outputs(sandbox);
  for (const [attr, layer] of Object.entries(layers)) t.diagnostic(`${attr}: ${layer.seconds} s, ${layer.blobs.length} blobs, ${megabytes(blobsSize(layer))}`);
  t.diagnostic(`image ${megabytes(image.size)}, sent in ${image.seconds} s; all of it ${((performance.now() - started) / 1000).toFixed(0)} s`);
  assert.equal(image.status, "published");
  assert.ok((layers["layer3-pytorch"]?.blobs.length ?? 0) > 1, "layer 3 is split");
});

test("it boots on a CPU, read-only, as uid 1000, from the registry", { timeout: HOUR }, async (t) => {
  const { image } = await outputs(sandbox);
  const reference = `${registry.address}/comfyui@${image.digest}`;
  const pulling = performance.now();
  await docker.run(["pull", "--quiet", reference], { timeout: HOUR });
  t.diagnostic(`pulled and unpacked in ${((performance.now() - pulling) / 1000).toFixed(0)} s`);

  await t.test("torch imports", async () => {
    const { stdout } = await docker.run(["run", "--rm", "--read-only", "--network=none", reference, "python", "-c", "import torch; print(torch.__version__)"]);
    assert.equal(stdout.trim(), `${locked("layer3-pytorch", "torch").version}+cu130`);
  });

  const port = await freePort();
  const booting = performance.now();
  const { stdout } = await docker.run(["run", "--detach", "--read-only", "--tmpfs", "/tmp", "--cap-drop=ALL", "--security-opt", "no-new-privileges", "--network=host", reference, "--cpu", "--listen", "127.0.0.1", "--port", `${port}`]);
  const id = stdout.trim();
  const log = async () => Object.values(await docker.run(["logs", id])).join("\n");
  const address = `http://127.0.0.1:${port}`;

  await t.test("GET /system_stats answers", async () => {
    const response = await firstAnswer(`${address}/system_stats`, log, PATIENCE);
    t.diagnostic(`first answer after ${((performance.now() - booting) / 1000).toFixed(1)} s`);
    assert.equal(response.status, 200);
    const { system, devices } = (await response.json()) as { system: Record<string, unknown>; devices: { type: string }[] };
    assert.equal(system["comfyui_version"], locked("layer6-app", "comfyui").version);
    assert.match(String(system["pytorch_version"]), /\+cu130$/);
    assert.equal(devices[0]?.type, "cpu");
  });

  await t.test("it knows its nodes, and runs a prompt", async () => {
    const nodes = (await (await fetch(`${address}/object_info`)).json()) as Record<string, unknown>;
    t.diagnostic(`${Object.keys(nodes).length} node types`);
    assert.ok(Object.keys(nodes).length > 400);
    const prompt = {
      1: { class_type: "EmptyImage", inputs: { width: 64, height: 64, batch_size: 1, color: 255 } },
      2: { class_type: "SaveImage", inputs: { images: ["1", 0], filename_prefix: "test" } },
    };
    const queued = (await (await fetch(`${address}/prompt`, { method: "POST", body: JSON.stringify({ prompt }) })).json()) as { prompt_id: string };
    const image = await finished(`${address}/history/${queued.prompt_id}`);
    const picture = await fetch(`${address}/view?filename=${image.filename}&subfolder=${image.subfolder}&type=${image.type}`);
    assert.deepEqual([picture.status, picture.headers.get("content-type")], [200, "image/png"]);
  });

  await t.test("its web page loads in a browser", async () => {
    const browser = await startBrowser();
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
      page.setDefaultTimeout(PATIENCE * 1000);
      page.on("pageerror", (error) => t.diagnostic(`page: ${error.message}`));
      await page.goto(address);
      try {
        // The graph is drawn on a canvas once the frontend has its node types.
        await page.waitForSelector("canvas#graph-canvas");
        await page.waitForFunction("document.querySelector('#splash-loader, .p-progressspinner') === null");
        await page.waitForTimeout(3_000);
      } finally {
        const screenshot = join(artifacts, "pypi-page.png");
        await page.screenshot({ path: screenshot });
        t.diagnostic(`screenshot: ${screenshot}`);
      }
      assert.match(await page.title(), /ComfyUI/);
    } finally {
      await browser.close();
    }
  });

  await t.test("docker stop ends it", async () => {
    const { seconds } = await docker.run(["stop", id]);
    t.diagnostic(`ended in ${seconds.toFixed(1)} s`);
    assert.ok(seconds < 9, "before Docker kills it after ten seconds");
  });
});

interface SavedImage {
  readonly filename: string;
  readonly subfolder: string;
  readonly type: string;
}

/** The first image of a finished prompt. */
async function finished(history: string): Promise<SavedImage> {
  for (let tries = 0; tries < PATIENCE * 10; tries++) {
    const [entry] = Object.values((await (await fetch(history)).json()) as Record<string, { outputs: Record<string, { images?: SavedImage[] }> }>);
    const image = Object.values(entry?.outputs ?? {}).flatMap(({ images }) => images ?? [])[0];
    if (image) return image;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no image at ${history}`);
}

/** ComfyUI's source with one line more, locked and given as a user would. */
async function anotherSource(): Promise<void> {
  const folder = `${sandbox.at}/tmp/one-line-more`;
  await sandbox.bash(`cp -r /nix/store/*-${locked("layer6-app", "comfyui").file} ${folder} && chmod -R u+w ${folder} && echo "# one line more" >> ${folder}/nodes.py`);
  const { hash } = await readComfyui(sandbox, folder);
  await lockPypi(sandbox, (flavor) => ({ ...flavor, files: withComfyui(flavor, (entry) => ({ ...entry, hash })) }));
  await prefetch(folder);
}

test("one changed line of the app: layer 6 alone is built, its blob alone is sent", { timeout: HOUR }, async (t) => {
  const mark = registry.requests().length;
  await anotherSource();
  const idle = performance.now();
  assert.deepEqual([...(await preview(sandbox)).rows.keys()].sort(), ["comfyui-layer6-app", "comfyui-publish-image"]);
  const overhead = (performance.now() - idle) / 1000;
  const { ran, process: run } = await up(sandbox);
  assert.deepEqual(ran, ["comfyui-layer6-app", "comfyui-publish-image"]);
  const { layers, image } = await outputs(sandbox);
  const received = await registry.received(mark);
  assert.equal(received.total, image.sentBytes);
  assert.ok(image.sentBytes < 10e6, `${image.sentBytes} bytes`);
  t.diagnostic(`up ${run.seconds.toFixed(1)} s (a preview: ${overhead.toFixed(1)} s), of it layer 6 ${layers["layer6-app"]?.seconds} s, publish ${image.seconds} s`);
  t.diagnostic(`${megabytes(image.sentBytes)} of ${megabytes(image.size)} sent`);
  t.diagnostic(newestLog(sandbox, "layer6-app").split("\n").filter((line) => line.startsWith("building '")).join("\n"));
});
