/** nixpkgs in layers/flake.lock: followed along the branch that flake.nix names, pinned by commit and NAR hash. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FaultError } from "../faults.ts";
import { runProgram } from "./run-program.ts";

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

/** What the branch is now; nothing where it is what is locked. Throws where flake.lock has no nixpkgs, or it cannot be had. */
export async function newerNixpkgs(text: string): Promise<NixpkgsUpdate | undefined> {
  const lock = parse(text);
  const node = lock.nodes["nixpkgs"];
  if (node?.locked === undefined || node.original === undefined) throw new FaultError([{ code: "LOCK_FLAKE", where, problem: "flake.lock pins no nixpkgs", found: Object.keys(lock.nodes).join(", "), expected: "a node nixpkgs" }]);
  const locked = await metadata(reference(node.original));
  if (locked["narHash"] === node.locked["narHash"] && locked["rev"] === node.locked["rev"]) return undefined;
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

/** A flake reference as Nix takes it on a command line. */
function reference({ type, owner, repo, url, ref }: Reference): string {
  if (type === "github") return `github:${owner}/${repo}${ref === undefined ? "" : `/${ref}`}`;
  if (type === "git") return `git+${url}${ref === undefined ? "" : `?ref=${ref}`}`;
  throw new FaultError([{ code: "LOCK_FLAKE", where, problem: "nixpkgs comes from where nothing newer can be asked for", found: String(type), expected: "github or git" }]);
}

async function metadata(flake: string): Promise<Reference> {
  const { code, stdout, stderr } = await runProgram("nix", ["--extra-experimental-features", "nix-command flakes", "flake", "metadata", "--json", "--refresh", "--no-write-lock-file", flake]);
  if (code !== 0) throw new FaultError([{ code: "LOCK_FLAKE", where, problem: `${flake} cannot be read`, found: stderr.trim().split("\n").slice(-3).join(" ") }]);
  const { locked } = JSON.parse(stdout) as { locked: Reference };
  // What Nix notes for itself is no part of a lock file.
  return Object.fromEntries(Object.entries(locked).filter(([key]) => !key.startsWith("__")).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const shown = ({ rev, lastModified }: Reference): string => `${String(rev).slice(0, 12)} (${new Date(Number(lastModified) * 1000).toISOString().slice(0, 10)})`;
