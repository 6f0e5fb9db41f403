/**
 * `verify: container`: what its script does with a real engine and a published image. The container is made by Docker's command, as
 * Docker's plugin makes it; the stack with the plugin itself is in test/official.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { graphOfFlavor, readLayerGraph } from "../../infra/read-plan.ts";
import { protocol } from "../../infra/request.ts";
import { smokeCommand } from "../../infra/verify/smoke.ts";
import { verifyText } from "../../infra/verify.ts";
import { Docker } from "../support/docker.ts";
import { assertFault } from "../support/host-scripts.ts";
import { outputs } from "../support/outputs.ts";
import { run } from "../support/process.ts";
import { up } from "../support/pulumi.ts";
import { Registry } from "../support/registry.ts";
import { configure } from "../support/stack-config.ts";
import { warmSandbox } from "../support/warm.ts";

const user = { name: "tester", password: "not-a-secret-but-a-word", bcrypt: "$2b$05$abcdefghijklmnopqrstuussz2w/ECLarpHFZtgP7Nymy7pkAgUd2" };

test("a published image is tried by an engine", async (t) => {
  await using sandbox = await warmSandbox();
  await using registry = await Registry.start(user);
  await using docker = await Docker.start("newer");
  const repository = `${registry.address}/comfyui`;
  const REGISTRY_AUTH_FILE = `${sandbox.at}/home/auth.json`;
  await sandbox.run("skopeo", ["login", "--tls-verify=false", "--username", user.name, "--password-stdin", registry.address], { env: { REGISTRY_AUTH_FILE }, input: user.password });
  configure(sandbox, { registry: { kind: "registry", repository, tls: false } });
  await up(sandbox, { env: { REGISTRY_AUTH_FILE } });
  const image = `${repository}@${(await outputs(sandbox)).image.digest}`;
  const layersDir = sandbox.host("layers");
  const graph = graphOfFlavor(readLayerGraph(layersDir), "sample", layersDir);

  const inEngine = async (...args: string[]) => (await docker.run(args)).stdout.trim().split("\n").filter(Boolean).sort();
  const images = () => inEngine("images", "--digests", "--format", "{{.Repository}}@{{.Digest}}");
  const containers = () => inEngine("ps", "--all", "--format", "{{.State}}");
  const script = (request: object) => {
    const input = verifyText({ protocol, docker: docker.env["DOCKER_HOST"] as string, image, ...request });
    return run("bash", ["-s"], { input, allowFailure: true, env: { ...process.env, DOCKER_CONFIG: docker.env["DOCKER_CONFIG"] } as Record<string, string> });
  };
  /** The container of `comfyui-verify-container`, or one with another command. */
  const create = async (command: readonly string[] = smokeCommand({ graph, flavor: "sample", gpu: false }), options: readonly string[] = []) => {
    const [id = ""] = await inEngine("create", "--network", "none", "--workdir", "/tmp", ...options, image, ...command);
    return id;
  };
  const smoke = (container: string, limitSeconds = 600) => script({ step: "smoke", container, limitSeconds });

  await t.test("VERIFY_DOCKER: an engine that is down, with its address", async () => {
    assertFault(await script({ step: "pull", docker: "unix:///nowhere/docker.sock" }), "VERIFY_DOCKER", ["expected: an engine at unix:///nowhere/docker.sock", "systemctl start docker"]);
  });

  await t.test("VERIFY_PULL: an engine without a login", async () => {
    assertFault(await script({ step: "pull" }), "VERIFY_PULL", [/found: .*(no basic auth credentials|unauthorized|authentication required)/, "docker login"]);
    assert.deepEqual(await images(), []);
  });

  await t.test("it is pulled by its digest; again, it is there", async () => {
    await docker.run(["login", "--username", user.name, "--password-stdin", registry.address], { input: user.password });
    const first = await script({ step: "pull" });
    assert.deepEqual([first.code, JSON.parse(first.stdout), await images()], [0, { image }, [image]], first.stderr);
    assert.match(first.stderr, /^verify: pulling /m);
    assert.equal((await script({ step: "pull" })).stderr, "");
  });

  await t.test("VERIFY_START: a machine without the GPU that is asked for", async () => {
    const container = await create(undefined, ["--gpus", "all"]);
    assertFault(await smoke(container), "VERIFY_START", [/found: .*could not select device driver.*gpu/, "Container Toolkit"]);
    assert.deepEqual(await containers(), ["created"]);
    await docker.run(["rm", container]);
  });

  await t.test("passes: each layer's test ran; again in the same container, which tells of that run alone", async () => {
    const container = await create();
    for (const round of [1, 2]) {
      const { code, stdout, stderr } = await smoke(container);
      assert.deepEqual([code, stdout], [0, `${JSON.stringify({ image })}\n`], stderr);
      const passed = [...stderr.matchAll(/verify: passed: (\S+)/g)].map(([, layer]) => layer);
      assert.deepEqual(passed, ["layer0-base", "layer1-python", "layer3-pytorch", "layer4-deps", "layer5-perf", "layer6-app"], `round ${round}`);
      assert.deepEqual(await containers(), ["exited"]);
    }
    await docker.run(["rm", container]);
  });

  await t.test("VERIFY_FAILED: a test that only a container breaks: its last lines", async () => {
    const layers = graph.layers.map((layer) => (layer.attr === "layer6-app" ? { ...layer, smoke: ["bash", "-c", "! test -e /.dockerenv || { echo 'broken by its container'; exit 3; }"] } : layer));
    const container = await create(smokeCommand({ graph: { ...graph, layers }, flavor: "sample", gpu: false }));
    assertFault(await smoke(container), "VERIFY_FAILED", ["(exit status 3)", /smoke test: layer6-app\s+broken by its container/, `docker logs ${container.slice(0, 12)}`]);
    await docker.run(["rm", container]);
  });

  await t.test("VERIFY_GONE: a container that was pruned", async () => {
    assertFault(await smoke("0123456789ab"), "VERIFY_GONE", [/fix: .*pulumi up --refresh/]);
  });

  await t.test("VERIFY_TIMEOUT: a test that hangs is stopped", async () => {
    const container = await create(["sleep", "600"]);
    assertFault(await smoke(container, 1), "VERIFY_TIMEOUT", ["an end within 1 s"]);
    assert.deepEqual(await containers(), ["exited"]);
  });
});
