/**
 * Random edits of a folder, as a person makes them: planned from a listing and a seed alone (the same seed plans the same
 * edits), then applied, then taken back exactly.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { Random } from "./random.ts";

export type Edit =
  /** More content at the end, which keeps the syntax: white space in JSON, a comment elsewhere. */
  | { readonly kind: "change"; readonly path: string; readonly append: string }
  | { readonly kind: "add"; readonly path: string; readonly content: string }
  | { readonly kind: "delete"; readonly path: string }
  | { readonly kind: "rename"; readonly path: string; readonly to: string }
  | { readonly kind: "chmod"; readonly path: string; readonly mode: number }
  /** A link in a new place, or in the place of a file. */
  | { readonly kind: "symlink"; readonly path: string; readonly target: string }
  /** An empty folder. */
  | { readonly kind: "mkdir"; readonly path: string };

export type EditKind = Edit["kind"];

export const EDIT_KINDS: readonly EditKind[] = ["change", "add", "delete", "rename", "chmod", "symlink"];

/** A file of the folder; links and other things are left alone. */
export interface Entry {
  readonly path: string;
  readonly mode: number;
}

/** All files below `root`, sorted; `accept` gets paths relative to it, of folders with a slash at the end. */
export function listEntries(root: string, accept: (path: string) => boolean = () => true, below = ""): Entry[] {
  const names = readdirSync(join(root, below), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return names.flatMap((entry): Entry[] => {
    const path = posix.join(below, entry.name);
    if (entry.isDirectory()) return accept(`${path}/`) ? listEntries(root, accept, path) : [];
    if (!entry.isFile() || !accept(path)) return [];
    return [{ path, mode: lstatSync(join(root, path)).mode & 0o777 }];
  });
}

function appended(path: string, random: Random): string {
  return path.endsWith(".json") || path.endsWith(".lock") ? "\n ".repeat(1 + random.below(9)) : `\n# ${random.word()}\n`;
}

/** Either another executable bit, which matters, or another permission to read, which does not. */
function otherMode(mode: number, random: Random): number {
  return random.chance(0.7) ? mode ^ 0o111 : mode ^ 0o044;
}

function planOne(kind: EditKind, { path, mode }: Entry, entries: readonly Entry[], random: Random): Edit {
  const folder = dirname(path);
  const inside = () => (random.chance(0.2) ? `edit-${random.word()}/` : "");
  const fresh = (suffix: string) => posix.join(folder, inside(), `edit-${random.word()}${suffix}`);
  const elsewhere = (suffix: string) => posix.join(dirname(random.pick(entries).path), `edit-${random.word()}${suffix}`);
  const suffix = posix.extname(path);
  switch (kind) {
    case "change":
      return { kind, path, append: appended(path, random) };
    case "add":
      return { kind, path: fresh(suffix), content: suffix === ".json" ? `{ "edit": "${random.word()}" }\n` : `# ${random.word()}\n` };
    case "delete":
      return { kind, path };
    case "rename":
      return { kind, path, to: random.chance(0.5) ? fresh(suffix) : elsewhere(suffix) };
    case "chmod":
      return { kind, path, mode: otherMode(mode, random) };
    case "symlink": {
      const place = random.chance(0.5) ? path : fresh(suffix);
      return { kind, path: place, target: posix.relative(dirname(place), random.pick(entries).path) };
    }
    case "mkdir":
      return { kind, path: fresh("") };
  }
}

/**
 * Plans `count` edits, each of the listing as it is (not of the edits before). They go through all folders in turn, so that
 * with enough edits none is left out; which file and which kind of edit is the seed's choice.
 */
export function planEdits(seed: string, entries: readonly Entry[], count: number, kinds: readonly EditKind[] = EDIT_KINDS): Edit[] {
  const random = new Random(seed);
  const folders = Map.groupBy(entries, ({ path }) => dirname(path));
  let turn: Entry[][] = [];
  return Array.from({ length: count }, () => {
    if (turn.length === 0) turn = random.shuffled([...folders.values()]);
    const entry = random.pick(turn.pop() as Entry[]);
    return planOne(random.pick(kinds), entry, entries, random);
  });
}

/** What the edit changes: the paths whose existence, content, kind or mode differ afterwards. */
export function touched(edit: Edit): string[] {
  return edit.kind === "rename" ? [edit.path, edit.to] : [edit.path];
}

export function describeEdit(edit: Edit): string {
  if (edit.kind === "rename") return `rename ${edit.path} to ${edit.to}`;
  if (edit.kind === "chmod") return `chmod ${edit.mode.toString(8)} ${edit.path}`;
  if (edit.kind === "symlink") return `symlink ${edit.path} to ${edit.target}`;
  return `${edit.kind} ${edit.path}`;
}

/** Makes the folders above a path; answers the topmost new one. */
function makeParents(file: string): string | undefined {
  return mkdirSync(dirname(file), { recursive: true });
}

function perform(root: string, edit: Edit): void {
  const file = join(root, edit.path);
  switch (edit.kind) {
    case "change":
      return writeFileSync(file, edit.append, { flag: "a" });
    case "add":
      return writeFileSync(file, edit.content, { flag: "wx" });
    case "delete":
      return rmSync(file);
    case "rename":
      return renameSync(file, join(root, edit.to));
    case "chmod":
      return chmodSync(file, edit.mode);
    case "symlink":
      rmSync(file, { force: true });
      return symlinkSync(edit.target, file);
    case "mkdir":
      return mkdirSync(file);
  }
}

/** Remembers what is at a path now; the answer puts it back. */
function remember(file: string): () => void {
  const before = lstatSync(file, { throwIfNoEntry: false });
  const content = before?.isFile() ? readFileSync(file) : undefined;
  const target = before?.isSymbolicLink() ? readlinkSync(file) : undefined;
  return () => {
    rmSync(file, { recursive: true, force: true });
    if (target !== undefined) symlinkSync(target, file);
    if (before === undefined || content === undefined) return;
    writeFileSync(file, content);
    chmodSync(file, before.mode & 0o7777);
    utimesSync(file, before.atime, before.mtime);
  };
}

/** Applies an edit below `root`; the answer takes it back. */
export function applyEdit(root: string, edit: Edit): () => void {
  const places = touched(edit).map((path) => join(root, path));
  const undo = places.map(remember);
  const made = places.map(makeParents);
  perform(root, edit);
  return () => {
    for (const step of undo.reverse()) step();
    for (const folder of made) if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  };
}
