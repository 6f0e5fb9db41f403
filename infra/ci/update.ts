/**
 * `node infra/ci/update.ts GROUP FOLDER`: asks for newer versions of a group in every flavor, and writes what came of it to
 * FOLDER: GROUP.patch (empty where there is nothing newer) and GROUP.md, the text of the pull request. What resolving runs is
 * other people's code, so this has no right to write to GitHub; infra/ci/pull-requests.ts takes it from there.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { throwFaults } from "../faults.ts";
import { readFlavorFiles } from "../lock/flavor-files.ts";
import { readLayerGraph } from "../read-plan.ts";
import { git } from "./git.ts";
import { step, summarize } from "./runner.ts";
import { outsideOf, updateGroups, type UpdateGroupName } from "./update-groups.ts";

const root = join(import.meta.dirname, "../..");
const layersDir = join(root, "layers");

/** The lock tool's own words; where it fails, so does this, and nothing is handed on. */
function updateFlavor(flavor: string, names: readonly string[]): string {
  const args = ["run", "--silent", "lock", "--", "update", ...names, "--flavor", flavor];
  const { status, stdout } = spawnSync("npm", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`npm ${args.join(" ")} ended with ${status}: see above`);
  return stripVTControlCharacters(stdout).trim();
}

function main(group: string | undefined, folder: string | undefined): void {
  if (group === undefined || !(group in updateGroups) || folder === undefined) {
    throw new Error(`usage: node infra/ci/update.ts ${Object.keys(updateGroups).join("|")} FOLDER`);
  }
  const { names, title } = updateGroups[group as UpdateGroupName];
  const graph = readLayerGraph(layersDir);
  const said = Object.keys(graph.flavors).flatMap((flavor) => {
    const wanted = names(readFlavorFiles(graph, layersDir, flavor));
    return wanted.length === 0 ? [] : [`#### Flavor ${flavor}\n\n\`\`\`\n${updateFlavor(flavor, wanted)}\n\`\`\``];
  });
  git(root, "add", "--all");
  const changed = git(root, "diff", "--cached", "--name-only").split("\n").filter((file) => file !== "");
  throwFaults(outsideOf(changed));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${group}.patch`), git(root, "diff", "--cached", "--binary"));
  writeFileSync(join(folder, `${group}.md`), `${said.join("\n\n")}\n`);
  summarize(`### ${title}: ${changed.length === 0 ? "nothing newer" : `${changed.length} files`}\n\n${said.join("\n\n")}`);
}

await step(() => main(process.argv[2], process.argv[3]));
