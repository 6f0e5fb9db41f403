/** nixpkgs in layers/flake.lock: followed along the branch that flake.nix names, pinned by commit and NAR hash. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FaultError } from "../faults.ts";
import { checkedOut } from "./git-checkout.ts";
import { remoteRefs, revisionOf } from "./git-remote.ts";

type Reference = Readonly<Record<string, string | number | boolean>>;

interface FlakeLock {
  readonly nodes: Readonly<Record<string, { readonly locked?: Reference; readonly original?: Reference }>>;
}

export interface NixpkgsUpdate {
  /** flake.lock as it is to be. */
  readonly text: string;
  /** Commit and date. */
  readonly from: string;
  readonly to: string;
}

export const flakeLockPath = "flake.lock";
const where = `layers/${flakeLockPath}`;

/** What the branch is now; nothing where it is what is locked. Throws where flake.lock has no nixpkgs of GitHub, or it cannot be had. */
export async function newerNixpkgs(text: string, say: (text: string) => void): Promise<NixpkgsUpdate | undefined> {
  const lock = parse(text);
  const node = lock.nodes["nixpkgs"];
  const { type, owner, repo, ref } = node?.original ?? {};
  if (node?.locked === undefined || type !== "github" || ref === undefined) {
    throw new FaultError([{ code: "LOCK_FLAKE", where, problem: "flake.lock pins no nixpkgs that follows a branch at GitHub", found: JSON.stringify(node?.original ?? Object.keys(lock.nodes)), expected: '{"type": "github", "owner": …, "repo": …, "ref": …}' }]);
  }
  const git = `https://github.com/${owner}/${repo}`;
  say(`asking ${git} what ${ref} is`);
  const { rev } = revisionOf(await remoteRefs(git), String(ref), git);
  if (rev === node.locked["rev"]) return undefined;
  say(`fetching ${git} at ${rev.slice(0, 12)}`);
  // The fields that Nix has for GitHub: the hash is that of the archive's tree, the time that of the commit.
  const locked = await checkedOut(git, rev, ({ hash, committed }) => ({ ...node.locked, lastModified: committed, narHash: hash, rev }));
  const nodes = { ...lock.nodes, nixpkgs: { ...node, locked } };
  return { text: `${JSON.stringify({ ...lock, nodes }, null, 2)}\n`, from: shown(node.locked), to: shown(locked) };
}

/** Calls `use` with a copy of layers/ that has this flake.lock: what the newer nixpkgs brings is asked before anything is written. */
export async function withFlakeLock<T>(root: string, text: string, use: (tree: string) => Promise<T>): Promise<T> {
  const tree = mkdtempSync(join(tmpdir(), "comfyui-lock-"));
  try {
    cpSync(join(root, "layers"), join(tree, "layers"), { recursive: true });
    writeFileSync(join(tree, "layers", flakeLockPath), text);
    return await use(tree);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

function parse(text: string): FlakeLock {
  try {
    return JSON.parse(text) as FlakeLock;
  } catch (error) {
    throw new FaultError([{ code: "LOCK_FLAKE", where, problem: "the file is not JSON", found: (error as Error).message, fix: `git restore ${where}` }]);
  }
}

const shown = ({ rev, lastModified }: Reference): string => `${String(rev).slice(0, 12)} (${new Date(Number(lastModified) * 1000).toISOString().slice(0, 10)})`;
