/**
 * `node infra/ci/preview.ts FILE`: shows `pulumi preview --diff` of the stack PULUMI_STACK in the log, and writes what a pull
 * request's comment says about it, and about its revision COMMIT, to FILE: what `npm run ops -- plan --markdown` says. Ends with
 * 0, or with 1 where the preview failed; FILE is there in both cases.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { changesMarkdown } from "../preview/markdown.ts";
import { readChanges } from "../preview/read-changes.ts";
import { environment, step, summarize } from "./runner.ts";

const root = join(import.meta.dirname, "../..");

async function main(file: string | undefined): Promise<number> {
  if (file === undefined) throw new Error("usage: node infra/ci/preview.ts FILE");
  const env = environment("PULUMI_STACK", "COMMIT", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID");
  const runUrl = `${env.GITHUB_SERVER_URL}/${env.GITHUB_REPOSITORY}/actions/runs/${env.GITHUB_RUN_ID}`;
  spawnSync("pulumi", ["preview", "--diff", "--non-interactive", "--color", "never"], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  const changes = await readChanges(root, env.PULUMI_STACK);
  const text = changesMarkdown(changes, `\`pulumi preview --diff\` of stack \`${env.PULUMI_STACK}\` at ${env.COMMIT.slice(0, 12)} · [whole output](${runUrl})`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  summarize(text);
  return changes.errors.length > 0 ? 1 : 0;
}

await step(() => main(process.argv[2]));
