/** The ready-to-paste texts: what every one of them carries, and where it follows the image, the registry and the GPU. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { runnable } from "../../infra/snippets/runnable.ts";
import { snippets } from "../../infra/snippets/snippets.ts";

const published = { reference: "docker://host.example:5000/team/comfyui:0123456789ab", tag: "0123456789ab", digest: `sha256:${"1".repeat(64)}` };
const loaded = { ...published, reference: "oci:/p/.local/images:0123456789ab" };
const plain = { flavor: "sample", compression: "zstd", gpu: false };

const texts = (answer = published, flavored = plain) => snippets(runnable(answer, flavored));
const manifests = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as { kind: string; spec: Record<string, any> });
const pod = (text: string) => manifests(text).find(({ kind }) => kind === "Deployment")?.spec["template"].spec;

test("a registry's image is named by digest, with its tag in a comment", () => {
  const image = `host.example:5000/team/comfyui@${published.digest}`;
  const { docker, compose, kubernetes } = texts();
  assert.ok(docker.trimEnd().endsWith(`\n  ${image}`), docker);
  assert.equal(parse(compose).services.comfyui.image, image);
  assert.equal(pod(kubernetes).containers[0].image, image);
  for (const text of [docker, compose, kubernetes]) assert.match(text, /^# Image 0123456789ab\./);
});

test("an image in a folder: each says how it gets to where it is run", () => {
  const { docker, compose, kubernetes } = texts(loaded, { flavor: "pypi", compression: "gzip", gpu: false });
  const load = "nix run path:./layers#load -- --flavor pypi --compression gzip";
  assert.ok(docker.trimEnd().endsWith(`"$(${load})"`), docker);
  assert.ok(compose.includes(load));
  assert.deepEqual([parse(compose).services.comfyui.image, parse(compose).services.comfyui.pull_policy], ["comfyui:pypi", "never"]);
  assert.ok(kubernetes.includes("skopeo copy oci:/p/.local/images:0123456789ab docker://REGISTRY/comfyui:0123456789ab"));
  const images = { "aarch64-linux": { digest: published.digest, size: 1 } };
  assert.match(snippets(runnable({ ...loaded, images }, plain)).kubernetes, /skopeo copy --all oci:/);
  assert.ok(texts(loaded).docker.includes('"$(nix run path:./layers#load)"'), "the defaults need no options");
});

test("each is locked down: no capability, no more rights, nothing to write but the volume and /tmp, a plain user, a health check", () => {
  const { docker, compose, kubernetes } = texts();
  for (const option of ["--read-only", "--tmpfs /tmp:exec", "--cap-drop ALL", "--security-opt no-new-privileges", '--user "$(id -u):$(id -g)"', "--health-cmd comfyui-health"]) {
    assert.ok(docker.includes(option), option);
  }
  const { comfyui } = parse(compose).services;
  assert.deepEqual([comfyui.read_only, comfyui.cap_drop, comfyui.security_opt, comfyui.tmpfs, comfyui.user], [true, ["ALL"], ["no-new-privileges:true"], ["/tmp:exec"], "1000:1000"]);
  assert.deepEqual([comfyui.ports, comfyui.volumes, comfyui.healthcheck.test], [["127.0.0.1:8188:8188"], ["comfyui-data:/data"], ["CMD", "comfyui-health"]]);
  const { securityContext, containers: [container], volumes } = pod(kubernetes);
  assert.deepEqual(securityContext, { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, fsGroupChangePolicy: "OnRootMismatch", seccompProfile: { type: "RuntimeDefault" } });
  assert.deepEqual(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } });
  assert.deepEqual(container.readinessProbe.exec, { command: ["comfyui-health"] });
  for (const probe of [container.startupProbe, container.livenessProbe]) assert.deepEqual(probe.httpGet, { path: "/system_stats", port: "http" });
  assert.deepEqual(volumes, [{ name: "data", persistentVolumeClaim: { claimName: "comfyui" } }, { name: "tmp", emptyDir: {} }]);
  assert.deepEqual(manifests(kubernetes).map(({ kind }) => kind), ["PersistentVolumeClaim", "Deployment", "Service"]);
  assert.deepEqual(manifests(kubernetes)[1]?.spec["strategy"], { type: "Recreate" });
});

test("a GPU is asked for where the flavor computes on one, and only there", () => {
  const [without, having] = [texts(), texts(published, { ...plain, gpu: true })];
  assert.ok(having.docker.includes("--gpus all") && !without.docker.includes("--gpus"));
  const devices = (text: string) => parse(text).services.comfyui.deploy?.resources.reservations.devices;
  assert.deepEqual([devices(having.compose), devices(without.compose)], [[{ driver: "nvidia", count: "all", capabilities: ["gpu"] }], undefined]);
  const limits = (text: string) => pod(text).containers[0].resources?.limits;
  assert.deepEqual([limits(having.kubernetes), limits(without.kubernetes)], [{ "nvidia.com/gpu": 1 }, undefined]);
});

test("the command is one that a shell reads, and YAML has no anchors", () => {
  for (const { docker, kubernetes, compose } of [texts(), texts(loaded)]) {
    execFileSync("bash", ["-n", "-c", docker]);
    for (const text of [kubernetes, compose]) assert.doesNotMatch(text, /[&*]a\d/);
  }
});
