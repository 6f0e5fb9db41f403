/** Custom nodes as data of a flavor: in requirements.json under `files`, and required by the layer that holds nodes. Pure. */
import { type Fault, FaultError } from "../faults.ts";
import type { Revision } from "./git-remote.ts";
import type { Repository } from "./git-url.ts";
import type { LockedFile } from "./lock-file.ts";
import type { NodeRequirements } from "./node-requirements.ts";
import type { OutsideFile, Requirements, RequirementsText } from "./requirements-file.ts";
import { isVersion } from "./version.ts";

/** The layer that holds custom nodes: its git entries are the nodes, all others what they require. */
export const nodesLayer = "layer7-nodes";

export type GitFile = Extract<OutsideFile, { git: string }>;

/** A tag that is a version is the node's; a commit has none, but says which it is. */
export function versionOf({ rev, ref = "" }: Revision): string {
  const text = ref.replace(/^v/i, "");
  return isVersion(text) ? text : `0+${rev.slice(0, 12)}`;
}

/** The name of the checkout in the store. */
export const storeName = ({ folder }: Repository, { rev }: Revision): string => `${folder}-${rev.slice(0, 12)}`;

/** What a checkout of a node says. */
export interface NodeFacts {
  readonly hash: string;
  /** Files at its top. */
  readonly files: readonly string[];
  readonly requirements: NodeRequirements;
}

/** A node's entry; throws with all that keeps the repository from being one. */
export function nodeEntry(repository: Repository, revision: Revision, { hash, files, requirements }: NodeFacts, without: readonly string[]): GitFile {
  const where = `${repository.git} at ${revision.rev.slice(0, 12)}`;
  const faults: Fault[] = [
    ...(files.includes("__init__.py") ? [] : [{ code: "LOCK_NODE_SHAPE" as const, where, problem: "the repository is no custom node", found: files.slice(0, 8).join(", ") || "no files", expected: "an __init__.py at its top" }]),
    ...(files.includes(".gitmodules") ? [{ code: "LOCK_NODE_SHAPE" as const, where, problem: "the repository has submodules, which a pin would leave empty", found: ".gitmodules", expected: "a repository that holds all of its files" }] : []),
    ...requirements.refused.map((line): Fault => ({ code: "LOCK_NODE_REQUIREMENT", where, problem: "this requirement cannot be locked", found: line, expected: "NAME, NAME[EXTRA] or NAME>=VERSION of the package index" })),
  ];
  if (faults.length > 0) throw new FaultError(faults);
  return {
    git: repository.git,
    ...revision,
    name: repository.name,
    version: versionOf(revision),
    file: storeName(repository, revision),
    hash,
    requires: [...requirements.requires],
    ...(without.length > 0 && { without: [...without] }),
  };
}

/** The nodes that a flavor has. */
export function nodesOf(requirements: Pick<Requirements, "files" | "layers">): GitFile[] {
  const names = requirements.layers[nodesLayer] ?? [];
  return requirements.files.filter((file): file is GitFile => "git" in file && names.includes(file.name));
}

/** The requirements file with a node in it, in its place by name; the same repository's is replaced. */
export function withNode(text: RequirementsText, requirements: Requirements, node: GitFile, locked: readonly LockedFile[], where: string): RequirementsText {
  const mine = nodesOf(requirements).find(({ name }) => name === node.name);
  const other = mine?.git === node.git ? undefined : (mine ?? [...requirements.files, ...locked].find(({ name }) => name === node.name));
  if (other !== undefined) {
    const found = "git" in other ? other.git : `${other.name} ${other.version}`;
    throw new FaultError([{ code: "LOCK_NODE_CLASH", where, problem: `${node.name} is there already, and is another thing than ${node.git}`, found }]);
  }
  return { ...text, layers: { ...text.layers, [nodesLayer]: sortedWith(text.layers[nodesLayer] ?? [], node.name) }, files: placed(requirements.files, node) };
}

const sortedWith = (texts: readonly string[], name: string): string[] => [...new Set([...texts, name])].sort();

function placed(files: readonly OutsideFile[], file: OutsideFile): OutsideFile[] {
  return [...files.filter(({ name }) => name !== file.name), file].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The requirements file without a node; throws where the flavor has none of this name. */
export function withoutNode(text: RequirementsText, requirements: Requirements, name: string, where: string): RequirementsText {
  const nodes = nodesOf(requirements).map((node) => node.name);
  if (!nodes.includes(name)) throw new FaultError([{ code: "LOCK_NODE_UNKNOWN", where, problem: `there is no custom node ${name}`, found: name, expected: nodes.join(", ") || "a flavor with custom nodes" }]);
  const { [nodesLayer]: required = [], ...others } = text.layers;
  const left = required.filter((each) => each !== name);
  const { files: _files, ...rest } = text;
  const files = requirements.files.filter((file) => file.name !== name);
  return { ...rest, layers: { ...others, ...(left.length > 0 && { [nodesLayer]: left }) }, ...(files.length > 0 && { files }) };
}
