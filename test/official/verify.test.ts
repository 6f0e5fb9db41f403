/**
 * `verify: container` as a stack, by Pulumi's own plugin for Docker: a real engine pulls the published image by its digest and runs its
 * smoke tests. What its script says is tested without the plugin (e2e/verify.test.ts).
 */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Docker } from "../support/docker.ts";
import { installDockerPlugin } from "../support/docker-plugin.ts";
import { outputs } from "../support/outputs.ts";
import { destroy, preview, up, type Update } from "../support/pulumi.ts";
import { Registry } from "../support/registry.ts";
import { configure } from "../support/stack-config.ts";
import { warmSandbox } from "../support/warm.ts";

const user = { name: "tester", password: "not-a-secret-but-a-word", bcrypt: "$2b$05$abcdefghijklmnopqrstuussz2w/ECLarpHFZtgP7Nymy7pkAgUd2" };

function failedWith({ result, process: { stdout } }: Update, code: string, ...says: (string | RegExp)[]): void {
  assert.equal(result, "failed");
  for (const words of [new RegExp(`error\\[${code}\\]: `), ...says]) assert.match(stdout, words instanceof RegExp ? words : new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")));
}

test("a published image is tried by an engine", async (t) => {
  await using sandbox = await warmSandbox();
  installDockerPlugin(sandbox);
  await using registry = await Registry.start(user);
  await using docker = await Docker.start("newer");
  const env = { DOCKER_CONFIG: docker.env["DOCKER_CONFIG"] as string, REGISTRY_AUTH_FILE: `${sandbox.at}/home/auth.json` };
  const repository = `${registry.address}/comfyui`;
  const stack = (verify: object) => configure(sandbox, { registry: { kind: "registry", repository, tls: false }, verify: { kind: "container", ...verify } });
  const engine = { kind: "engine", address: docker.env["DOCKER_HOST"] as string };
  const trying = (allowFailure = false) => up(sandbox, { env, allowFailure });
  const inEngine = async (...args: string[]) => (await docker.run(args)).stdout.trim().split("\n").filter(Boolean).sort();
  const images = () => inEngine("images", "--digests", "--format", "{{.Repository}}:{{.Tag}}@{{.Digest}}");
  const containers = () => inEngine("ps", "--all", "--format", "{{.State}}");
  const imageOf = async () => `${repository}@${(await outputs(sandbox)).image.digest}`;
  await sandbox.run("skopeo", ["login", "--tls-verify=false", "--username", user.name, "--password-stdin", registry.address], { env, input: user.password });

  await t.test("VERIFY_DOCKER: an engine that is down, with its address; the image is published", async () => {
    stack({ docker: { kind: "engine", address: "unix:///nowhere/docker.sock" } });
    const update = await trying(true);
    failedWith(update, "VERIFY_DOCKER", "expected: an engine at unix:///nowhere/docker.sock", "systemctl start docker");
    assert.deepEqual(update.ran, ["comfyui-host", "comfyui-publish-image", "comfyui-verify-pull"]);
  });

  await t.test("VERIFY_PULL: an engine without a login", async () => {
    stack({ docker: engine, gpu: true });
    failedWith(await trying(true), "VERIFY_PULL", /found: .*(no basic auth credentials|unauthorized|authentication required)/, "docker login");
    assert.deepEqual([await images(), await containers()], [[], []]);
  });

  await t.test("VERIFY_START: a machine without the GPU that is asked for", async () => {
    await docker.run(["login", "--username", user.name, "--password-stdin", registry.address], { input: user.password });
    failedWith(await trying(true), "VERIFY_START", /found: .*could not select device driver.*gpu/, "Container Toolkit");
    assert.deepEqual(await containers(), ["created"]);
  });

  await t.test("passes: each layer's test ran, in one container without a network; the image was pulled by its digest", async () => {
    stack({ docker: engine });
    const { process } = await trying();
    const passed = [...process.stdout.matchAll(/verify: passed: (\S+)/g)].map(([, layer]) => layer);
    assert.deepEqual([...new Set(passed)], ["layer0-base", "layer1-python", "layer3-pytorch", "layer4-deps", "layer5-perf", "layer6-app"]);
    assert.deepEqual(await containers(), ["exited"]);
    const [id = ""] = await inEngine("ps", "--all", "--quiet");
    const [container] = JSON.parse((await docker.run(["inspect", id])).stdout) as { Config: { Image: string }; State: { ExitCode: number }; HostConfig: { NetworkMode: string } }[];
    assert.deepEqual([container?.Config.Image, container?.State.ExitCode, container?.HostConfig.NetworkMode], [await imageOf(), 0, "none"]);
  });

  await t.test("nothing changed: nothing runs", async () => {
    assert.deepEqual((await preview(sandbox, { env })).rows, new Map());
    assert.deepEqual((await trying()).ran, []);
  });

  const graph = readFileSync(sandbox.host("layers/layers.json"), "utf8");
  await t.test("VERIFY_FAILED: another image, with a test that only a container breaks: its last lines; again it is tried, alone", async () => {
    appendFileSync(sandbox.host("layers/layer6-app/app/page.html"), "<!-- an edit -->\n");
    const broken = JSON.parse(graph) as { layers: { attr: string; smoke: unknown }[] };
    const last = broken.layers.find(({ attr }) => attr === "layer6-app");
    Object.assign((last as { smoke: object }).smoke, { sample: ["bash", "-c", "! test -e /.dockerenv || { echo 'broken by its container'; exit 3; }"] });
    writeFileSync(sandbox.host("layers/layers.json"), JSON.stringify(broken));
    failedWith(await trying(true), "VERIFY_FAILED", "(exit status 3)", /smoke test: layer6-app\s+broken by its container/, "docker logs");
    const again = await trying(true);
    failedWith(again, "VERIFY_FAILED");
    assert.deepEqual(again.ran, ["comfyui-verify-smoke"]);
    assert.equal((await containers()).length, 1);
  });

  await t.test("mended, it passes; image and container of before are gone", async () => {
    writeFileSync(sandbox.host("layers/layers.json"), graph);
    await trying();
    assert.deepEqual(await containers(), ["exited"]);
    assert.deepEqual((await images()).map((image) => image.replace(":<none>", "")), [await imageOf()]);
  });

  await t.test("destroy takes container and image away, and leaves other names of the image; no login was ever in the state", async () => {
    await docker.run(["tag", await imageOf(), "kept:1"]);
    await destroy(sandbox, { env });
    assert.deepEqual([await containers(), (await images()).map((image) => image.split("@")[0]), await inEngine("volume", "ls", "--quiet")], [[], ["kept:1"], []]);
    const basic = Buffer.from(`${user.name}:${user.password}`).toString("base64");
    assert.ok(readFileSync(`${env.DOCKER_CONFIG}/config.json`, "utf8").includes(basic), "the login is there to be found");
    assert.equal((await sandbox.bash(`grep -rlE '${basic}|${user.password}' .local/backend stacks "$TMPDIR" || [ $? -eq 1 ]`)).stdout, "");
  });
});
