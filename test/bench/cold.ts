/** A first build of all layers, where the locked files are there and nothing else, against Nix by itself. */
import { setCheck } from "../support/layer-edits.ts";
import { prefetchedStore } from "../support/prefetched-store.ts";
import { run as command } from "../support/process.ts";
import { Sandbox } from "../support/sandbox.ts";
import { timedUp, UP } from "./change.ts";
import { type Bench, inTurn, type Part, type Side } from "./comparison.ts";

const WHOLE = "nix build --out-link image path:./layers#comfyui";
const each = (attr: string) => `nix build --no-link ${["", ".checks", ...(attr === "layer2-wheels" ? [] : [".blob"])].map((part) => `path:./layers#${attr}${part}`).join(" ")}`;
/** A layer when those that it is `on` or `after` are done, as the graph says. */
const IN_ORDER = `{ ${each("layer2-wheels")} & ${each("layer0-base")} && ${each("layer1-python")} && wait; } && ${each("layer3-pytorch")} && { ${each("layer4-deps")} & ${each("layer5-perf")} && wait; } && ${WHOLE}`;
/** What `up` leaves behind, made by hand: the signed cache too, and the published image. */
const BY_HAND = [
  WHOLE,
  "nix key generate-secret --key-name by-hand >key",
  `nix path-info --derivation path:./layers#comfyui | xargs nix-store --query --requisites --include-outputs | grep -v '[.]drv$' | nix copy --stdin --to "file://$PWD/cache?secret-key=$PWD/key&compression=zstd&parallel-compression=true"`,
  "skopeo --insecure-policy copy oci:image:latest oci:published:latest",
].join(" && ");

type Edit = (sandbox: Sandbox) => void;

async function fresh(run: (sandbox: Sandbox) => Promise<number>, edit: Edit = () => undefined): Promise<number> {
  await using sandbox = await Sandbox.create({ store: await prefetchedStore() });
  edit(sandbox);
  // What the run before left to be written is not this one's.
  await command("sync", []);
  return await run(sandbox);
}

const line = (text: string) => async (sandbox: Sandbox) => (await sandbox.bash(text)).seconds;
const aMinute: Edit = (sandbox) => setCheck(sandbox.host("layers"), "layer5-perf", "sleep 60");

export const cold: Part = {
  name: "cold",
  async measure({ quick, say }: Bench) {
    say("a first build of all layers");
    const others: Record<"inOrder" | "byHand", number[]> = { inOrder: [], byHand: [] };
    const figures = await inTurn(
      quick ? 1 : 3,
      () => fresh(timedUp),
      async (round) => {
        others.inOrder[round] = await fresh(line(IN_ORDER));
        others.byHand[round] = await fresh(line(BY_HAND));
        return fresh(line(WHOLE));
      },
    );
    const what = "a first build of all layers";
    const ours: Side = { command: UP, figures: figures.ours };
    const note = "Ours also fills the signed binary cache and publishes to an OCI directory.";
    const comparisons = [
      { what, unit: "s", ours, theirs: { command: WHOLE, figures: figures.theirs }, goal: { atMost: 1.1 }, note },
      { what: `${what}, against Nix in the graph's order`, unit: "s", ours, theirs: { command: IN_ORDER, figures: others.inOrder }, note },
      { what: `${what}, against the same result by hand`, unit: "s", ours, theirs: { command: BY_HAND, figures: others.byHand } },
    ] as const;
    if (quick) return { comparisons };
    say("a first build in which a layer builds a minute");
    const minute = await inTurn(2, () => fresh(timedUp, aMinute), () => fresh(line(WHOLE), aMinute));
    return {
      comparisons: [...comparisons, { what: `${what}, of which layer 5 builds a minute`, unit: "s", ours: { command: UP, figures: minute.ours }, theirs: { command: WHOLE, figures: minute.theirs }, note }],
    };
  },
};
