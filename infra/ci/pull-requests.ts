/**
 * `node infra/ci/pull-requests.ts FOLDER`: each patch of infra/ci/update.ts in FOLDER becomes the branch update/GROUP and its one
 * pull request. Runs nothing of what the patches bring. Needs no npm package.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { putPullRequest, thisRepository } from "./github.ts";
import { step, summarize } from "./runner.ts";
import { pushUpdate } from "./update-branch.ts";
import { updateGroups, type UpdateGroupName } from "./update-groups.ts";

const root = join(import.meta.dirname, "../..");
const BASE = "main";

async function open(folder: string, group: UpdateGroupName): Promise<string> {
  const patch = readFileSync(join(folder, `${group}.patch`), "utf8");
  if (patch === "") return "nothing newer";
  const { title } = updateGroups[group];
  const branch = `update/${group}`;
  const pushed = pushUpdate({ root, branch, title, patch });
  if (pushed === "a person's") return `newer versions, but ${branch} has commits of a person and is left alone`;
  const body = `${readFileSync(join(folder, `${group}.md`), "utf8")}\nWhoever may write here starts the checks: "Approve workflows to run".\n`;
  const address = await putPullRequest(thisRepository(), { branch, base: BASE, title, body });
  return `${pushed}: ${address}`;
}

await step(async () => {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error("usage: node infra/ci/pull-requests.ts FOLDER");
  const present = new Set(existsSync(folder) ? readdirSync(folder) : []);
  const failed: string[] = [];
  const rows: string[] = [];
  for (const group of Object.keys(updateGroups) as UpdateGroupName[]) {
    // Without a patch the group's own job has failed, and said so.
    if (!present.has(`${group}.patch`)) continue;
    const what = await open(folder, group).catch((error: Error) => {
      failed.push(`${group}: ${error.message}`);
      return "failed";
    });
    rows.push(`| ${group} | ${what} |`);
  }
  summarize(["| group | |", "|--|--|", ...rows].join("\n"));
  console.log(rows.join("\n"));
  for (const message of failed) console.error(message);
  return failed.length === 0 ? 0 : 1;
});
