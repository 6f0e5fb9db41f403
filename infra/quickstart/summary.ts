/** The text that quickstart ends with. Pure: all of it is decided by the arguments. */
import type { z } from "zod";
import { blobsSize, type cacheAnswer, type ImageAnswer, type LayerAnswer } from "../answers.ts";
import { humanSize, type Style, table } from "../table.ts";
import type { ResourceRun } from "./events.ts";

/** What happened to a layer, from what the engine did and what the script answered. */
export function happened(run: ResourceRun | undefined, answer: Pick<LayerAnswer, "built" | "substituted" | "reused"> | undefined): string {
  if (run === undefined) return "not started";
  if (!run.done) return "failed";
  if (run.op === "same") return "unchanged";
  if (answer !== undefined && answer.built > 0) return "built";
  // Reused: it was in the Nix store already, built by another checkout or for an earlier state of this one.
  return answer !== undefined && answer.substituted > 0 ? "from the cache" : "reused";
}

export interface LayerRow {
  /** The layer, with its system where there are several. */
  readonly label: string;
  readonly run?: ResourceRun;
  readonly answer?: LayerAnswer;
}

/** Seconds are this run's: an unchanged layer took none, and a reused one's answer may tell those of the build on record. */
export function layerTable(layers: readonly LayerRow[], style: Style): string {
  const rows = layers.map(({ label, run, answer }) => {
    const what = happened(run, answer);
    const took = what === "built" || what === "from the cache" ? answer?.seconds.toFixed(1) : undefined;
    return [label, what === "failed" ? style.red(what) : what, answer?.blobs.length ? humanSize(blobsSize(answer)) : "-", took ?? "-"];
  });
  return table([["LAYER", "WHAT HAPPENED", "SIZE", "SECONDS"].map(style.bold), ...rows], [2, 3]);
}

export interface Summary {
  readonly layers: readonly LayerRow[];
  readonly publish?: ResourceRun;
  readonly image?: ImageAnswer;
  readonly cache?: z.output<typeof cacheAnswer>;
  readonly nothingDone: boolean;
  readonly seconds: number;
  /** Which Pulumi did it, in words. */
  readonly engine: string;
  readonly runCommand?: string;
}

function published(run: ResourceRun | undefined, image: ImageAnswer): string {
  if (run?.op === "same") return "unchanged";
  if (image.status === "already published") return "already published";
  const skipped = image.skippedBytes === 0 ? "" : `, ${humanSize(image.skippedBytes)} were there`;
  return `sent ${humanSize(image.sentBytes)}${skipped}`;
}

export function summaryText(summary: Summary, style: Style): string {
  const { image, cache, publish } = summary;
  const facts: string[][] = [];
  if (image !== undefined) {
    const images = Object.entries(image.images ?? {}).map(([system, { digest }]) => [system, digest]);
    facts.push(["Image", image.reference], ["Digest", image.digest], ...images, ["Size", `${humanSize(image.size)} (${published(publish, image)})`]);
  }
  if (cache !== undefined) facts.push(["Cache", `${cache.location}, key ${cache.publicKey}`]);
  facts.push(["Engine", summary.engine]);
  const parts = [layerTable(summary.layers, style), table(facts)];
  const seconds = `${summary.seconds.toFixed(0)} s`;
  if (summary.runCommand !== undefined) {
    parts.push(`${style.bold("Run it, then open http://127.0.0.1:8188")}\n  ${summary.runCommand}`);
    parts.push(summary.nothingDone ? `Nothing to do: everything is built and published (${seconds}).` : `Done in ${seconds}.`);
  } else {
    parts.push(style.red("Not finished: see the errors above. What is done stays done; after the fix, npm run quickstart goes on from there."));
  }
  return parts.filter((part) => part !== "").join("\n\n");
}
