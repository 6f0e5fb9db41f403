/** Any checkout of ComfyUI in place of the one that flavor `pypi` locks: a sandbox's copy of the flavor is locked for it, as its user would do it by hand. */
import { readFileSync, writeFileSync } from "node:fs";
import { nodeRequirements } from "../../infra/lock/node-requirements.ts";
import { requirementOf } from "../../infra/lock/requirement.ts";
import { formatRequirements, type OutsideFile, type RequirementsText } from "../../infra/lock/requirements-file.ts";
import type { Sandbox } from "./sandbox.ts";

const REQUIREMENTS = "layers/flavors/pypi/requirements.json";
/** Where a flavor has what ComfyUI asks for, but for what a lower layer holds. */
const LAYER = "layer4-deps";

/** What a checkout says of itself. */
export interface ComfyuiSource {
  /** All zeros where nobody knows, of files without git's: nothing asks for it once the tree is in the store. */
  readonly rev: string;
  readonly hash: string;
  readonly version: string;
  /** Its requirements.txt. */
  readonly requirements: string;
}

/** The tree that set-up takes of a folder, made once more by other means. */
const READ = `
  tree=$1 rev=${"0".repeat(40)}
  if [ -e "$1/.git" ]; then
    rev=$(git -C "$1" rev-parse HEAD)
    tree=$(mktemp -d)
    git -C "$1" archive HEAD | tar -x -C "$tree"
  fi
  jq -n --arg rev "$rev" --arg hash "$(nix hash path "$tree")" --rawfile code "$tree/comfyui_version.py" --rawfile requirements "$tree/requirements.txt" \
    '{$rev, $hash, version: ($code | capture("__version__ = \\"(?<it>[^\\"]+)\\"").it), $requirements}'`;

/** `folder`: as seen inside the sandbox. */
export async function readComfyui(sandbox: Sandbox, folder: string): Promise<ComfyuiSource> {
  const { stdout } = await sandbox.run("bash", ["-euo", "pipefail", "-c", READ, "bash", folder]);
  return JSON.parse(stdout) as ComfyuiSource;
}

/** The flavor's requirements for this ComfyUI. What lower layers are required to hold stays; bounds on that are ComfyUI's too. */
export function requirementsFor(flavor: RequirementsText, { rev, hash, version, requirements }: ComfyuiSource): RequirementsText {
  const { requires, refused } = nodeRequirements((file) => (file === "requirements.txt" ? requirements : undefined), []);
  if (refused.length > 0) throw new Error(`requirements.txt has lines that cannot be locked: ${refused.join("; ")}`);
  const elsewhere = new Set(Object.entries(flavor.layers).flatMap(([layer, texts]) => (layer === LAYER ? [] : texts.map((text) => requirementOf(text).name))));
  const held = (text: string) => elsewhere.has(requirementOf(text).name);
  return {
    ...flavor,
    layers: { ...flavor.layers, [LAYER]: requires.filter((text) => !held(text)).sort((a, b) => (requirementOf(a).name < requirementOf(b).name ? -1 : 1)) },
    bounds: [...(flavor.bounds ?? []), ...requires.filter((text) => held(text) && requirementOf(text).bounds !== "")],
    files: withComfyui(flavor, ({ ref: _ref, ...entry }) => ({ ...entry, rev, version, file: `comfyui-${version}`, hash })),
  };
}

type GitFile = Extract<OutsideFile, { git: string }>;

/** The flavor's files with another entry for ComfyUI. */
export function withComfyui(flavor: RequirementsText, change: (entry: GitFile) => GitFile): OutsideFile[] {
  return (flavor.files as OutsideFile[]).map((file) => (file.name === "comfyui" && "git" in file ? change(file) : file));
}

/** Changes what the sandbox's copy of the flavor requires, and locks it by the project's own tool. */
export async function lockPypi(sandbox: Sandbox, change: (requirements: RequirementsText) => RequirementsText): Promise<void> {
  const path = sandbox.host(REQUIREMENTS);
  writeFileSync(path, formatRequirements(change(JSON.parse(readFileSync(path, "utf8")) as RequirementsText)));
  // As `npm run lock` calls it; how this machine reaches its package index may be written in its user's home.
  const env = { HOME: process.env["HOME"] ?? "/root", NODE_USE_SYSTEM_CA: "1", NODE_USE_ENV_PROXY: "1" };
  await sandbox.run("node", ["infra/lock.ts", "--flavor", "pypi"], { env, timeout: 10 * 60_000 });
}
