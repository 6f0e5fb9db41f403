/** What a publish sends, and how long it takes, against Docker with the same content; by the registry's own access log. */
import { appendFileSync } from "node:fs";
import { blobsSize, type LayerOutput } from "../../infra/answers.ts";
import { Docker } from "../support/docker.ts";
import { recordedCommand, runScript } from "../support/host-scripts.ts";
import { outputs } from "../support/outputs.ts";
import { run } from "../support/process.ts";
import { up } from "../support/pulumi.ts";
import { Registry } from "../support/registry.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { configure } from "../support/stack-config.ts";
import { warmSandbox } from "../support/warm.ts";
import { type Comparison, inTurn, type Part } from "./comparison.ts";

/** Docker and a registry beside a sandbox whose stack publishes to it. */
export interface Publishing {
  readonly sandbox: Sandbox;
  readonly registry: Registry;
  readonly docker: Docker;
}

/** A stack that publishes to a registry of its own; both are gone afterwards, with the gigabytes in them. */
export async function withStack<T>(use: (stack: Omit<Publishing, "docker">) => Promise<T>): Promise<T> {
  await using registry = await Registry.start();
  await using sandbox = await warmSandbox();
  configure(sandbox, { registry: { kind: "registry", repository: `${registry.address}/ours`, tls: false } });
  await up(sandbox);
  return await use({ sandbox, registry });
}

/** Docker gets the image that the sandbox's stack would publish now; answers its name there. */
async function load({ sandbox, docker }: Publishing): Promise<string> {
  const { stdout } = await sandbox.run("nix", ["run", "path:./layers#load"], { env: docker.env });
  return stdout.trim().split("\n").at(-1) as string;
}

const edit = (sandbox: Sandbox, round: number) => appendFileSync(sandbox.host("layers/layer6-app/app/page.html"), `<!-- publish ${round} -->\n`);
/** Runs the layers alone: what comes then is the publish. */
const LAYERS_ONLY = { args: ["--target", "**comfyui-layer*"] };

/** Bytes of a layer-6 edit: our blobs, against one layer with everything in it. */
async function bytesSent(publishing: Publishing): Promise<Comparison[]> {
  const { sandbox, registry, docker } = publishing;
  const name = `${registry.address}/single`;
  const pushSingle = async () => {
    const image = await load(publishing);
    const { stdout } = await docker.run(["create", image]);
    const line = `docker export ${stdout.trim()} | docker import - ${name}:latest && docker push --quiet ${name}:latest`;
    await run("bash", ["-euo", "pipefail", "-c", line], { env: { ...(process.env as Record<string, string>), ...docker.env } });
  };
  await pushSingle();
  edit(sandbox, 0);
  const mark = registry.requests().length;
  await up(sandbox);
  const ours = await registry.received(mark);
  const { image, layers } = await outputs(sandbox);
  const again = registry.requests().length;
  await pushSingle();
  const theirs = await registry.received(again);
  const blob = blobsSize(layers["layer6-app"] as LayerOutput);
  const command = { ours: "pulumi up, by the registry's access log", theirs: "docker import; docker push, by the registry's access log" };
  return [
    {
      what: "bytes sent after an edit of layer 6", unit: "B",
      ours: { command: command.ours, figures: [ours.total] },
      theirs: { command: command.theirs, figures: [theirs.total] },
      note: `Of an image of ${image.size} bytes.`,
    },
    {
      what: "bytes sent after an edit of layer 6, beside its blob", unit: "B",
      ours: { command: command.ours, figures: [ours.total - blob] },
      theirs: { command: "layer 6's blob", figures: [blob] },
      goal: { atMost: 20_000, absolute: true },
      note: "The image's config and manifest.",
    },
  ];
}

/** From built layers to the published image. `what`: the image. */
export async function publishTime(publishing: Publishing, runs: number, what: string): Promise<Comparison> {
  const { sandbox, registry, docker } = publishing;
  const name = `${registry.address}/docker`;
  const image = await load(publishing);
  await docker.run(["tag", image, `${name}:0`]);
  await docker.run(["push", "--quiet", `${name}:0`], { timeout: 30 * 60_000 });
  let edits = 0;
  const figures = await inTurn(
    runs,
    async () => {
      edit(sandbox, ++edits);
      await up(sandbox, LAYERS_ONLY);
      return (await publishAlone(sandbox)).seconds;
    },
    async (round) => {
      edit(sandbox, ++edits);
      // Docker gets an image that is put together already; ours does that itself.
      await sandbox.run("nix", ["build", "--no-link", "path:./layers#comfyui"]);
      return (await sandbox.bash(`image=$(nix run path:./layers#load | tail -n 1) && docker tag "$image" ${name}:${round + 1} && docker push --quiet ${name}:${round + 1}`, { env: docker.env, timeout: 30 * 60_000 })).seconds;
    },
  );
  return {
    what: `publishing ${what} after an edit of layer 6`,
    unit: "s",
    ours: { command: "infra/hosts/publish-image.sh, as `pulumi up` runs it", figures: figures.ours },
    theirs: { command: "nix run path:./layers#load (docker load) && docker tag && docker push", figures: figures.theirs },
    goal: { atMost: 0.1 },
  };
}

/** The request of the publish that `pulumi up` would run now. */
async function publishAlone(sandbox: Sandbox): Promise<{ readonly seconds: number }> {
  const { stdout } = await sandbox.run("pulumi", ["preview", "--json", "--non-interactive"]);
  const steps = (JSON.parse(stdout) as { steps: { urn: string; newState?: { inputs?: { stdin?: string } } }[] }).steps;
  const request = steps.find(({ urn }) => urn.endsWith("::comfyui-publish-image"))?.newState?.inputs?.stdin;
  if (request === undefined) throw new Error("the preview has no request of a publish");
  return runScript(sandbox, "publish-image", request);
}

/** A publish of what is there: its requests, and its time against one request. */
async function nothingToPublish({ sandbox, registry }: Publishing, runs: number): Promise<Comparison[]> {
  await up(sandbox);
  const { image } = await outputs(sandbox);
  const { stdin } = await recordedCommand(sandbox, "comfyui-publish-image");
  const head = `curl -sSf --head -o /dev/null -H 'Accept: application/vnd.oci.image.manifest.v1+json' http://${registry.address}/v2/ours/manifests/${image.tag}`;
  const requests: number[] = [];
  const figures = await inTurn(
    runs,
    async () => {
      const mark = registry.requests().length;
      const { seconds } = await runScript(sandbox, "publish-image", stdin);
      requests.push(registry.requests().length - mark);
      return seconds;
    },
    async () => (await sandbox.bash(head)).seconds,
  );
  const command = "infra/hosts/publish-image.sh";
  return [
    { what: "a publish of what is there already: requests", unit: "requests", ours: { command, figures: requests }, theirs: { command: head, figures: requests.map(() => 1) }, goal: { atMost: 10, absolute: true } },
    { what: "a publish of what is there already: time", unit: "s", ours: { command, figures: figures.ours }, theirs: { command: head, figures: figures.theirs }, note: "Ours asks Nix for the image and the cache for its paths." },
  ];
}

export const publish: Part = {
  name: "publish",
  async measure({ runs, say }) {
    await using docker = await Docker.start();
    return await withStack(async (stack) => {
      const publishing = { ...stack, docker };
      say("what a publish sends");
      const bytes = await bytesSent(publishing);
      say("a publish of what is there");
      const nothing = await nothingToPublish(publishing, runs);
      say("a publish against Docker's load and push");
      return { comparisons: [...bytes, ...nothing, await publishTime(publishing, runs, "the sample")] };
    });
  },
};
