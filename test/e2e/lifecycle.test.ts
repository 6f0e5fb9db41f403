/** A first `up`, a second one, and the end: with the real engine, Nix, and Docker. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { Docker } from "../support/docker.ts";
import { destroy, preview, stackOutput, up } from "../support/pulumi.ts";
import { overlapped } from "../support/pulumi-events.ts";
import { firstAnswer } from "../support/http.ts";
import { firstUp, warmSandbox } from "../support/warm.ts";
import { outputs } from "../support/outputs.ts";
import { freePort } from "../support/ports.ts";

const LAYERS = ["layer0-base", "layer1-python", "layer2-wheels", "layer3-pytorch", "layer4-deps", "layer5-perf", "layer6-app"];
const ALL = ["comfyui-cache", "comfyui-host", ...LAYERS.map((attr) => `comfyui-${attr}`), "comfyui-publish-image"].sort();

test("a first up builds seven layers on a store that has only the prefetched files, and publishes", async (t) => {
  const { update } = await firstUp();
  await using sandbox = await warmSandbox();
  assert.deepEqual(update.ran, ALL);
  const { layers, image, cache } = await outputs(sandbox);
  assert.deepEqual(Object.keys(layers).sort(), LAYERS);
  for (const [attr, { built, reused, blobs }] of Object.entries(layers)) {
    assert.ok(built > 0 && !reused, `${attr} was built`);
    assert.equal(blobs.length, attr === "layer2-wheels" ? 0 : 1, attr);
  }
  assert.equal(image.status, "published");
  assert.equal(image.sentBytes, image.size);
  assert.match(cache.publicKey, /^comfyui-[0-9a-f]+-1:[A-Za-z0-9+/]{43}=$/);
  await t.test("layers without a path between them ran side by side", () => {
    assert.ok(overlapped(update, "comfyui-layer2-wheels", "comfyui-layer0-base"));
    assert.ok(overlapped(update, "comfyui-layer4-deps", "comfyui-layer5-perf"));
    assert.ok(!overlapped(update, "comfyui-layer3-pytorch", "comfyui-layer4-deps"));
  });
  await t.test("uncompressed, the image holds 100 MB or more", async () => {
    const { stdout } = await sandbox.bash(`nix path-info --json --closure-size ${layers["layer6-app"]?.storePath}`);
    const [info] = Object.values(JSON.parse(stdout) as Record<string, { closureSize: number }>);
    assert.ok((info?.closureSize ?? 0) > 100e6, `${info?.closureSize} bytes`);
  });
});

test("a second up and a preview change nothing", async () => {
  await using sandbox = await warmSandbox();
  assert.equal((await preview(sandbox)).rows.size, 0);
  const before = await outputs(sandbox);
  const update = await up(sandbox);
  assert.deepEqual(update.ran, []);
  assert.deepEqual(await outputs(sandbox), before);
});

test("the image runs in Docker, read-only and as a plain user, and answers", async (t) => {
  await using sandbox = await warmSandbox();
  await using docker = await Docker.start();
  const { stdout } = await sandbox.run("nix", ["run", "path:./layers#load"], { env: docker.env });
  const reference = stdout.trim().split("\n").at(-1) as string;
  const locked = JSON.parse(readFileSync(sandbox.host("layers/locks/sample/layer3-pytorch.lock.json"), "utf8")) as { files: { name: string; version: string }[] };
  const numpy = locked.files.find(({ name }) => name === "numpy")?.version;
  await t.test("layer 3's library imports with the locked version", async () => {
    const run = await docker.run(["run", "--rm", "--read-only", "--network=none", reference, "python", "-c", "import numpy, os; print(numpy.__version__, os.getuid())"]);
    assert.equal(run.stdout.trim(), `${numpy} 1000`);
  });
  await t.test("one layer and those below it load by themselves", async () => {
    const loaded = await sandbox.run("nix", ["run", "path:./layers#load", "--", "layer3-pytorch"], { env: docker.env });
    const run = await docker.run(["run", "--rm", "--read-only", "--network=none", loaded.stdout.trim().split("\n").at(-1) as string, "python", "-c", "import numpy; print(numpy.__version__)"]);
    assert.equal(run.stdout.trim(), numpy);
  });
  await t.test("the app answers HTTP 200", async () => {
    const port = await freePort();
    const { stdout: id } = await docker.run(["run", "--detach", "--read-only", "--tmpfs", "/tmp", "--network=host", reference, "--listen", "127.0.0.1", "--port", `${port}`]);
    const response = await firstAnswer(`http://127.0.0.1:${port}/system_stats`, async () => (await docker.run(["logs", id.trim()])).stderr);
    assert.equal(response.status, 200);
    const stats = (await response.json()) as { system: Record<string, unknown>; devices: { type: string }[] };
    assert.match(String(stats.system["python_version"]), /^3\.14\./);
    assert.equal(stats.devices[0]?.type, "cpu");
  });
});

test("destroy takes down what the stack made, and keeps the cache and the image", async () => {
  await using sandbox = await warmSandbox();
  const { process } = await destroy(sandbox);
  assert.match(process.stdout, /Diagnostics:\n[^]*the cache stays: \S+\/\.local\/cache \([\d.]+M\); to delete it: rm -rf \S+\/\.local\/cache \S+\/\.local\/keys\n *the image stays: \S+\/\.local\/images \([\d.]+M\)/);
  assert.deepEqual(await stackOutput(sandbox), {});
  assert.ok(!existsSync(sandbox.host(".local/host/roots/layers")) && !existsSync(sandbox.host(".local/host/work")));
  assert.ok(existsSync(sandbox.host(".local/images/index.json")));
  assert.ok(readdirSync(sandbox.host(".local/cache")).some((name) => name.endsWith(".narinfo")));
});

test("destroy deletes them where the configuration says so", async () => {
  await using sandbox = await warmSandbox();
  await sandbox.bash("pulumi config set --path destroy.cache delete && pulumi config set --path destroy.image delete");
  const update = await up(sandbox);
  assert.deepEqual(update.ran, ["comfyui-host"]);
  await destroy(sandbox);
  for (const folder of [".local/cache", ".local/keys", ".local/images"]) assert.ok(!existsSync(sandbox.host(folder)), folder);
});
