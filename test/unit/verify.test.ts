/** `verify: container`: what may be configured, what a container is told to run, and the way to the engine. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../infra/config.ts";
import { parseLayerGraph } from "../../infra/layer-graph.ts";
import { protocol } from "../../infra/request.ts";
import { verifyText } from "../../infra/verify.ts";
import { smokeCommand } from "../../infra/verify/smoke.ts";
import { publicLineOf } from "../../infra/ssh/host-key.ts";
import { awsProgram, resource } from "../support/aws-program.ts";
import { HOST_KEY } from "../support/aws-answers.ts";
import { type Sections, stackConfig } from "../support/aws-stacks.ts";
import { privateKey } from "../support/in-process-ssh.ts";
import { run } from "../support/process.ts";
import { declaredBy } from "../support/remote-program.ts";
import { assertFault, type FaultRow } from "./faults.ts";

const parse = (input: Sections) => parseConfig({ ...input }, { isSecret: () => true });
const registry = { kind: "registry", repository: "registry.example/comfyui" };
const onBuildHost = { kind: "container", docker: { kind: "build-host" } };
const ssh = (more: object) => ({ registry, verify: onBuildHost, buildHost: { kind: "ssh", host: "build.example", hostKey: publicLineOf(privateKey()), ...more } });
const gpuHost = { gpu: true, volume: { sizeGiB: 200 } };

test("an engine is this machine's, unless another is named", () => {
  assert.deepEqual(parse({ registry, verify: { kind: "container" } }).verify, { kind: "container", docker: { kind: "engine", address: "unix:///var/run/docker.sock" }, gpu: false });
  for (const address of ["unix:///run/user/1000/docker.sock", "ssh://ubuntu@gpu.example", "ssh://ubuntu@10.0.0.7:2222"]) parse({ registry, verify: { kind: "container", docker: { kind: "engine", address } } });
  parse(ssh({}));
  parse(stackConfig("team", { buildHost: gpuHost, verify: { ...onBuildHost, gpu: true } }));
});

const rows: FaultRow<Sections>[] = [
  { code: "CONFIG_VERIFY_REGISTRY", input: { verify: { kind: "container" } }, where: "comfyui:verify.kind", says: ["container, with registry.kind oci-directory", "publish to a registry"] },
  ...["tcp://10.0.0.7:2375", "/var/run/docker.sock", "ssh://gpu.example/run/docker.sock"].map((address): FaultRow<Sections> => ({ code: "CONFIG_DOCKER_ADDRESS", input: { registry, verify: { kind: "container", docker: { kind: "engine", address } } }, where: "comfyui:verify.docker.address", says: [address, "ssh://USER@HOST"] })),
  { code: "CONFIG_VERIFY_HOST", input: { registry, verify: onBuildHost }, where: "comfyui:verify.docker.kind", says: ["buildHost.kind local", "expected: engine"] },
  { code: "CONFIG_VERIFY_HOST", input: ssh({ privateKey: privateKey() }), where: "comfyui:verify.docker.kind", says: ["SSH agent", "buildHost.privateKey"] },
  { code: "CONFIG_VERIFY_HOST", input: ssh({ jump: { host: "jump.example", user: "gate", hostKey: publicLineOf(privateKey()) } }), where: "comfyui:verify.docker.kind", says: ["through another host", "buildHost.jump"] },
  { code: "CONFIG_VERIFY_HOST", input: stackConfig("team", { verify: onBuildHost }), where: "comfyui:verify.docker.kind", says: ["has no Docker", "gpu: true"] },
  { code: "CONFIG_VERIFY_HOST", input: stackConfig("team", { aws: { login: { privateKey: privateKey() } }, buildHost: gpuHost, verify: onBuildHost }), where: "comfyui:verify.docker.kind", says: ["aws.login.privateKey"] },
  { code: "CONFIG_VERIFY_GPU", input: stackConfig("team", { buildHost: { ami: { kind: "id", id: "ami-0123456789abcdef0", user: "ubuntu" } }, verify: { ...onBuildHost, gpu: true } }), where: "comfyui:verify.gpu", says: ["buildHost.gpu false"] },
];
for (const row of rows) test(`${row.code}: ${row.says[0]}`, () => assertFault(row, parse));

const layers = [
  { attr: "base", on: [], blob: true, smoke: ["bash", "-c", "echo \"it's here\" >&2"] },
  { attr: "wheels", on: [], blob: false, smoke: ["false"] },
  { attr: "quiet", on: ["base"], blob: true, smoke: [] },
  { attr: "app", on: ["quiet"], blob: true, smoke: { cpu: ["printf", "%s\\n", "a b", "$HOME"], cuda: ["exit", "7"] } },
];
const graph = parseLayerGraph(JSON.stringify({ flavors: { cpu: { packageSet: "p" }, cuda: { packageSet: "p", gpu: { driver: 580 } } }, shared: [], layers: layers.map((layer) => ({ inputs: ["x/"], after: [], ...layer })) }));

test("a container runs the smoke tests of the image's layers in their order, word for word, up to the first that fails", async () => {
  const [bash = "", ...args] = smokeCommand({ graph, flavor: "cpu", gpu: false });
  const passed = await run(bash, args);
  assert.equal(passed.stdout, "smoke test: base\nsmoke test: app\na b\n$HOME\n");
  assert.equal(passed.stderr, "it's here\n");
  const failed = await run(bash, smokeCommand({ graph: { ...graph, layers: graph.layers.toReversed() }, flavor: "cuda", gpu: false }).slice(1), { allowFailure: true });
  assert.deepEqual([failed.code, failed.stdout], [7, "smoke test: app\n"]);
});

test("on a GPU nvidia-smi comes first, and PyTorch where the flavor has it", () => {
  const script = (flavor: string) => smokeCommand({ graph, flavor, gpu: true }).at(-1) as string;
  const tests = (flavor: string) => [...script(flavor).matchAll(/^echo 'smoke test: (.*)'$/gm)].map(([, name]) => name);
  assert.deepEqual(tests("cpu"), ["nvidia-smi", "base", "app"]);
  assert.deepEqual(tests("cuda"), ["nvidia-smi", "torch on the GPU", "base", "app"]);
  assert.match(script("cuda"), /"\$loader" \/usr\/bin\/nvidia-smi$/m);
  assert.match(script("cuda"), /^python -c 'import torch; assert torch\.cuda\.is_available\(\)/m);
});

test("the loader by which nvidia-smi is run is the one of this bash, and can run a program", async () => {
  const script = smokeCommand({ graph, flavor: "cpu", gpu: true }).at(-1)?.split("\n")[1]?.replace("/usr/bin/nvidia-smi", "/usr/bin/true && echo \"$loader\"") ?? "";
  assert.match((await run("bash", ["-euc", script])).stdout, /^\/\S+\/ld-linux\S+\n$/);
});

test("REQUEST_INVALID: a step that the script has not", async () => {
  const stub = 'docker() { echo 29.0; }; timeout() { echo 29.0; }\n';
  const { code, stderr } = await run("bash", ["-s"], { input: stub + verifyText({ step: "other", image: "i" }), allowFailure: true });
  assert.deepEqual([code, /^error\[REQUEST_INVALID\]: /m.test(stderr)], [1, true], stderr);
});

const NAMES = ["comfyui-verify-pull", "comfyui-verify-image", "comfyui-verify-container", "comfyui-verify-smoke"];

test("one resource after the other, all keyed by the image's digest; what is in the engine is its provider's", async () => {
  // There is no engine of Pulumi's, so no plugin is wanted.
  process.env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "false";
  const declared = await declaredBy({ registry, verify: { kind: "container", docker: { kind: "engine", address: "unix:///run/user/1000/docker.sock" } } });
  const get = (name: string) => declared.get(name) ?? assert.fail(`no ${name} among ${[...declared.keys()].join(" ")}`);
  assert.deepEqual([...declared.keys()].filter((name) => name.startsWith("comfyui-verify")).sort(), ["comfyui-verify", "comfyui-verify-docker", ...NAMES].sort());
  assert.deepEqual(get("comfyui-verify-docker").inputs, { host: "unix:///run/user/1000/docker.sock" });
  const image = "registry.example/comfyui@sha256:0";
  const requestOf = (name: string) => JSON.parse(/^\{.*\}$/m.exec(String(get(name).inputs["stdin"]))?.[0] ?? "null") as unknown;
  const asked = { docker: "unix:///run/user/1000/docker.sock", image, protocol };
  assert.deepEqual(requestOf("comfyui-verify-pull"), { ...asked, step: "pull" });
  assert.deepEqual(requestOf("comfyui-verify-smoke"), { ...asked, step: "smoke", container: "comfyui-verify-container-id", limitSeconds: 1800 });
  const { inputs: container } = get("comfyui-verify-container");
  assert.deepEqual({ ...container, command: "" }, { image, command: "", workingDir: "/tmp", networkMode: "none", start: false, mustRun: false });
  assert.match(String((container["command"] as string[]).at(-1)), /^echo 'smoke test: layer0-base'$/m);
  const order: Record<string, string> = { "comfyui-verify-pull": "comfyui-publish-image", "comfyui-verify-image": "comfyui-verify-pull", "comfyui-verify-container": "comfyui-verify-image", "comfyui-verify-smoke": "comfyui-verify-container" };
  for (const [name, before] of Object.entries(order)) assert.ok(get(name).dependsOn.includes(before), `${name} after ${get(name).dependsOn.join(" ")}`);
  for (const name of ["comfyui-verify-image", "comfyui-verify-container"]) assert.equal(get(name).provider, "comfyui-verify-docker");
});

test("on a build host on EC2: Docker over SSH as the image's user, with the pinned host key; bound to the instance, woken first", async () => {
  const program = await awsProgram("prod", { buildHost: { types: undefined, gpu: true }, verify: { ...onBuildHost, gpu: true } });
  const { inputs: provider } = resource(program, "comfyui-verify-docker");
  assert.equal(provider["host"], "ssh://ubuntu@198.51.100.20:22");
  const options = JSON.parse(provider["sshOpts"] as string) as string[];
  assert.ok(options.includes(`KnownHostsCommand=/bin/echo * ${HOST_KEY.publicKey}`) && options.includes("StrictHostKeyChecking=yes"), options.join(" "));

  const instance = "comfyui-build-host-ec2-instance";
  for (const name of NAMES) {
    const { parent, replaceWith, deletedWith, hooks } = resource(program, name);
    assert.deepEqual([parent, replaceWith, deletedWith, hooks], ["comfyui-verify", [instance], instance, ["comfyui-verify-probe"]], name);
  }
  const image = "registry.example/comfyui@sha256:0";
  const { inputs: container, provider: by } = resource(program, "comfyui-verify-container");
  assert.deepEqual([container["image"], container["gpus"], container["start"], container["mustRun"], by], [image, "all", false, false, "comfyui-verify-docker"]);
  assert.deepEqual(resource(program, "comfyui-verify-image").inputs, { name: image, keepLocally: false });
  const connection = resource(program, "comfyui-verify-smoke").inputs["connection"] as { secret: { user: string } };
  assert.equal(connection.secret.user, "ubuntu");
  assert.match(String(resource(program, "comfyui-verify-pull").inputs["stdin"]), /"docker":null,"image":"registry\.example\/comfyui@sha256:0"/);
  assert.match((resource(program, "comfyui-build-host-instance").inputs["stdin"] as { secret: string }).secret, /"docker":"ubuntu"/);
});

test("a stack that asks for no verification has none of it, and the same requests as before", async () => {
  const program = await awsProgram("prod");
  assert.deepEqual(program.resources.filter(({ name, type }) => name.startsWith("comfyui-verify") || type.includes("docker")), []);
  assert.doesNotMatch((resource(program, "comfyui-build-host-instance").inputs["stdin"] as { secret: string }).secret, /"docker":/);
});
