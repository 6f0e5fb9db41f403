/** The stack's output `run`, pasted: into a shell, into Docker Compose; and checked against Kubernetes' own schemas. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Snippets } from "../../infra/snippets/snippets.ts";
import { dockerCompose } from "../support/compose.ts";
import { Docker } from "../support/docker.ts";
import { firstAnswer } from "../support/http.ts";
import { validateManifests } from "../support/kubernetes-schemas.ts";
import { outputs } from "../support/outputs.ts";
import { freePort } from "../support/ports.ts";
import { run } from "../support/process.ts";
import { stackOutput, up } from "../support/pulumi.ts";
import { Registry } from "../support/registry.ts";
import { configure } from "../support/stack-config.ts";
import { warmSandbox } from "../support/warm.ts";

let folder: string;
let docker: Docker;
let registry: Registry;
let pasted: Snippets;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "comfyui-snippets-"));
  registry = await Registry.start();
  docker = await Docker.start("newer");
  await using sandbox = await warmSandbox();
  configure(sandbox, { registry: { kind: "registry", repository: `${registry.address}/comfyui`, tls: false } });
  await up(sandbox);
  pasted = (await stackOutput(sandbox))["run"] as Snippets;
  const { image } = await outputs(sandbox);
  for (const text of Object.values(pasted)) assert.ok(text.includes(`${registry.address}/comfyui@${image.digest}`), text);
});
after(async () => {
  await docker.stop();
  await registry.stop();
  rmSync(folder, { recursive: true });
});

/** The environment of a shell that talks to the test's Docker. */
const env = () => ({ ...process.env, ...docker.env }) as Record<string, string>;

/** The text for another port of this machine: 8188 may be somebody's. */
async function onFreePort(text: string): Promise<{ text: string; url: string }> {
  const port = await freePort();
  assert.ok(text.includes("127.0.0.1:8188:8188"));
  return { text: text.replaceAll("127.0.0.1:8188:8188", `127.0.0.1:${port}:8188`), url: `http://127.0.0.1:${port}` };
}

async function answersAndIsHealthy(url: string, container: string): Promise<void> {
  const response = await firstAnswer(`${url}/system_stats`, async () => (await docker.run(["logs", container])).stderr);
  assert.equal(response.status, 200);
  assert.equal((await docker.run(["exec", container, "comfyui-health"])).stdout, "healthy\n");
}

test("docker run: pulls by digest, serves, and the files belong to the user who pasted it", async () => {
  const { text, url } = await onFreePort(pasted.docker);
  const home = join(folder, "docker");
  mkdirSync(home);
  await run("bash", ["-euo", "pipefail", "-c", text], { cwd: home, env: env() });
  await answersAndIsHealthy(url, "comfyui");
  const { uid } = statSync(join(home, "comfyui-data/output"));
  assert.equal(uid, process.getuid?.());
  const { stdout } = await docker.run(["exec", "comfyui", "sh", "-c", "cp $(command -v jq) /tmp/jq && /tmp/jq --version"]);
  assert.match(stdout, /^jq/, "what is compiled in /tmp can be run");
  await docker.run(["rm", "--force", "comfyui"]);
});

test("Docker Compose takes the file and runs it", async () => {
  const { text, url } = await onFreePort(pasted.compose);
  const file = join(folder, "compose.yaml");
  writeFileSync(file, text);
  const compose = async (...args: readonly string[]) => run(await dockerCompose(), ["--file", file, "--project-name", "comfyui", ...args], { env: env() });
  const { services } = JSON.parse((await compose("config", "--format", "json")).stdout) as { services: { comfyui: { read_only: boolean } } };
  assert.equal(services.comfyui.read_only, true);
  await compose("up", "--detach", "--quiet-pull");
  await answersAndIsHealthy(url, "comfyui-comfyui-1");
  await compose("down", "--volumes");
});

test("Kubernetes' schemas know every property, in an old and in a new version, with and without a GPU", async () => {
  const gpu = pasted.kubernetes.replace(/^( +)volumeMounts:/m, '$1resources: { limits: { "nvidia.com/gpu": 1 } }\n$&');
  const wrong = pasted.kubernetes.replace("readOnlyRootFilesystem", "readOnlyRootFileSystem");
  for (const version of ["1.29", "1.37"]) {
    for (const [name, text, code] of [["plain", pasted.kubernetes, 0], ["gpu", gpu, 0], ["misspelt", wrong, 1]] as const) {
      const file = join(folder, `${name}.yaml`);
      writeFileSync(file, text);
      const checked = await validateManifests(file, version);
      assert.equal(checked.code, code, `${version} ${name}: ${checked.stdout}${checked.stderr}`);
    }
  }
});
