/** An edit of one layer, from the file to the registry, against Nix and skopeo by themselves. */
import { appendFileSync } from "node:fs";
import { setCheck } from "../support/layer-edits.ts";
import { up } from "../support/pulumi.ts";
import { Registry } from "../support/registry.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { configure } from "../support/stack-config.ts";
import { warmSandbox } from "../support/warm.ts";
import { type Comparison, inTurn, type Part } from "./comparison.ts";

type Edit = (sandbox: Sandbox, round: number) => void;

const NIX_BUILD = "nix build --out-link image path:./layers#comfyui path:./layers#layer6-app";
const SKOPEO = "skopeo --insecure-policy copy --dest-tls-verify=false oci:image:latest docker://REGISTRY/bare:TAG";

/** What a person would type who has no program for it; seconds. */
async function bare(sandbox: Sandbox, { address }: Registry, tag: number): Promise<number> {
  const copy = SKOPEO.replace("REGISTRY", address).replace("TAG", `${tag}`);
  return (await sandbox.bash(`${NIX_BUILD} && ${copy}`)).seconds;
}

/** The run that is measured. */
export const UP = "pulumi up --yes --skip-preview";
export const timedUp = async (sandbox: Sandbox) => (await up(sandbox)).process.seconds;

async function oneLayer(what: string, runs: number, edit: Edit, goal: number): Promise<Comparison[]> {
  await using registry = await Registry.start();
  await using ours = await warmSandbox();
  configure(ours, { registry: { kind: "registry", repository: `${registry.address}/ours`, tls: false } });
  await using theirs = await warmSandbox();
  // Both registries have the image of before.
  await up(ours);
  await bare(theirs, registry, 0);
  const beside: number[] = [];
  const figures = await inTurn(
    runs,
    async (round) => {
      edit(ours, round);
      const seconds = await timedUp(ours);
      // Each program of Pulumi's pays for this, whatever it does.
      beside[round] = seconds - (await timedUp(ours));
      return seconds;
    },
    async (round) => {
      edit(theirs, round);
      return bare(theirs, registry, round + 1);
    },
  );
  const bareRuns = { command: `${NIX_BUILD} && ${SKOPEO}`, figures: figures.theirs };
  const note = "Ours also signs the layer, copies it to the binary cache and verifies it there.";
  return [
    { what, unit: "s", ours: { command: UP, figures: figures.ours }, theirs: bareRuns, goal: { atMost: goal }, note },
    { what: `${what}, beside a no-op \`up\``, unit: "s", ours: { command: `${UP}, less the same when nothing changed`, figures: beside }, theirs: bareRuns, note },
  ];
}

const editPage: Edit = (sandbox, round) => appendFileSync(sandbox.host("layers/layer6-app/app/page.html"), `<!-- edit ${round} -->\n`);
const aMinute: Edit = (sandbox, round) => setCheck(sandbox.host("layers"), "layer6-app", `sleep 60; : ${round}`);

export const change: Part = {
  name: "change",
  async measure({ quick, runs, say }) {
    say("an edit of layer 6");
    const sample = await oneLayer("an edit of layer 6, end to end (sample)", runs, editPage, 1.25);
    if (quick) return { comparisons: sample };
    say("an edit of a layer that builds a minute");
    return { comparisons: [...sample, ...(await oneLayer("an edit of layer 6, end to end, when it builds a minute", 2, aMinute, 1.05))] };
  },
};
