/**
 * README's transcripts, made by really running what they show: `node test/support/transcript.ts` writes them into README.md,
 * between their markers. Of the quickstart its closing report, of the preview the lines that differ; `...` stands for what is
 * left out.
 */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CHECKOUT } from "./checkout.ts";
import { prefetchedStore } from "./prefetched-store.ts";
import { initStack } from "./pulumi.ts";
import { Sandbox } from "./sandbox.ts";

const README = join(CHECKOUT, "README.md");
const PREVIEW = "pulumi preview --diff | grep -E '^ *[~+-]|unchanged'";

export type Transcripts = Readonly<Record<"quickstart" | "preview", string>>;

/** Both transcripts, from a store that has only the prefetched files. */
export async function makeTranscripts(): Promise<Transcripts> {
  await using sandbox = await Sandbox.create({ store: await prefetchedStore() });
  await initStack(sandbox);
  const { stdout } = await sandbox.run("node", ["infra/quickstart.ts"], { timeout: 20 * 60_000 });
  // Before it lies the progress of minutes; after it the command that runs the image, which depends on what the machine has.
  const report = stdout.slice(stdout.indexOf("LAYER "), stdout.indexOf("\nRun it,"));
  appendFileSync(sandbox.host("layers/layer6-app/app/page.html"), "<!-- an edit -->\n");
  const preview = await sandbox.bash(PREVIEW.replace("--diff", "--diff --non-interactive --color never"));
  const shown = (text: string) => text.replaceAll(sandbox.root, "~/comfyui-image").trimEnd();
  return { quickstart: `$ npm run quickstart\n...\n${shown(report)}\n...`, preview: `$ ${PREVIEW}\n${shown(preview.stdout)}` };
}

/** The transcripts that README.md shows. */
export function shownTranscripts(): Transcripts {
  const text = readFileSync(README, "utf8");
  const block = (name: string) => new RegExp(`<!-- transcript: ${name} -->\n\`\`\`\n([^]*?)\n\`\`\`\n<!-- end -->`).exec(text)?.[1] ?? "";
  return { quickstart: block("quickstart"), preview: block("preview") };
}

/** A transcript without what differs from run to run and from machine to machine: numbers, digests, the widths of columns, the engine. */
export function shape(transcript: string): string {
  return transcript.replace(/\b(sha256:)?[0-9a-f]{8,64}\b/g, "DIGEST").replace(/\d+(\.\d+)?/g, "N").replace(/key .*/, "key KEY").replace(/^Engine .*/m, "Engine ENGINE").replace(/ {2,}/g, " ");
}

if (import.meta.main) {
  const made = await makeTranscripts();
  const text = Object.entries(made).reduce(
    (readme, [name, transcript]) => readme.replace(new RegExp(`(<!-- transcript: ${name} -->\n)[^]*?(<!-- end -->)`), (_, start: string, end: string) => `${start}\`\`\`\n${transcript}\n\`\`\`\n${end}`),
    readFileSync(README, "utf8"),
  );
  writeFileSync(README, text);
}
