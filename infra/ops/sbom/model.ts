/** The parts of an image and how they hang together, before they become a document of some form. */
import { parseFileName } from "../../lock/file-name.ts";
import { originOf, type LockedFile } from "../../lock/lock-file.ts";
import { sameVersion } from "../../lock/version.ts";
import type { PythonPackage, ReadImage } from "../images/contents.ts";
import { parseStoreName } from "../images/store-name.ts";
import type { ImageSources, Locks } from "./sources.ts";

/** Kinds of parts, as package URLs name their types; `file`: a store path that is no package. */
export type PartKind = "pypi" | "deb" | "nix" | "source" | "file";

export interface Part {
  readonly kind: PartKind;
  /** Unique in the image. */
  readonly ref: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly layer: string;
  /** Store path that holds it, without its folder. */
  readonly storePath: string | undefined;
  /** The fetched file that it was made from, and its SHA-256; none for an unpacked tree, whose hash is Nix's own. */
  readonly file: string | undefined;
  readonly sha256: string | undefined;
  readonly origin: Origin;
  readonly summary: string | undefined;
  readonly homepage: string | undefined;
  readonly licenses: readonly string[];
  /** Parts that it needs, by ref. */
  readonly needs: readonly string[];
}

/** Where the file came from, as its lock says. */
export interface Origin {
  readonly url?: string;
  readonly git?: string;
  readonly rev?: string;
}

type Draft = Omit<Part, "needs">;
const plain = { file: undefined, sha256: undefined, origin: {}, summary: undefined, homepage: undefined, licenses: [] } as const;

export interface Inventory {
  readonly parts: readonly Part[];
  /** What the image itself needs: its layers. */
  readonly top: readonly string[];
}

export function takeInventory(image: ReadImage, sources: ImageSources, locks: Locks): Inventory {
  const python = image.python.map((each) => ({ each, draft: pythonPart(each, sources, locks) }));
  const debian = debianParts(image, sources, locks);
  const checkouts = sourceParts(image, sources, locks);
  const packages = new Set(python.map(({ each }) => each.storePath).filter((path) => parseStoreName(path).version !== undefined));
  const others = [...image.paths].filter(([path]) => !debian.has(path) && !packages.has(path)).map(([path, { layer }]) => [path, pathPart(path, layer)] as const);

  // The parts that stand for a store path; what a site holds, and what was fetched for it, are parts of their own.
  const standing = new Map<string, readonly Draft[]>([...debian, ...others.map(([path, part]) => [path, [part]] as const), ...python.filter(({ each }) => packages.has(each.storePath)).map(({ each, draft }) => [each.storePath, [draft]] as const)]);
  const byName = new Map(python.map(({ each, draft }) => [each.name, draft.ref]));
  const needs = new Map<string, Set<string>>();
  const need = (of: string, refs: Iterable<string>) => needs.set(of, new Set([...(needs.get(of) ?? []), ...refs].filter((ref) => ref !== of)));
  for (const [path, parts] of standing) {
    const below = (sources.references[path] ?? []).flatMap((other) => standing.get(other) ?? []).map(({ ref }) => ref);
    for (const { ref } of parts) need(ref, below);
  }
  for (const { each, draft } of python) {
    need(draft.ref, each.requires.flatMap((name) => byName.get(name) ?? []));
    for (const { ref } of standing.get(each.storePath) ?? []) need(ref, [draft.ref]);
  }
  for (const part of checkouts) for (const { ref } of standing.get(part.storePath ?? "") ?? []) need(ref, [part.ref]);

  const drafts = [...[...standing.values()].flat(), ...python.map(({ draft }) => draft), ...checkouts];
  const unique = [...new Map(drafts.map((draft) => [draft.ref, draft])).values()].toSorted((a, b) => (a.ref < b.ref ? -1 : 1));
  return {
    parts: unique.map((draft) => ({ ...draft, needs: [...(needs.get(draft.ref) ?? [])].sort() })),
    top: [...image.paths.keys()].filter((path) => image.layers.some(({ name }) => name === parseStoreName(path).name)).flatMap((path) => (standing.get(path) ?? []).map(({ ref }) => ref)).sort(),
  };
}

function pythonPart({ name, version, summary, homepage, licenses, layer, storePath }: PythonPackage, sources: ImageSources, locks: Locks): Draft {
  const fetched = Object.entries(sources.files).map(([path, { hash, tree }]) => ({ file: fileOf(path), hash, tree, locked: locks.files.get(hash) }));
  const found =
    fetched.find(({ locked }) => locked !== undefined && locked.name === name && sameVersion(locked.version, version)) ??
    // Of an image that was made with other locks: what the file's name says.
    fetched.find(({ file }) => {
      const parsed = parseFileName(file);
      return parsed?.name === name && sameVersion(parsed.version, version);
    });
  return { kind: "pypi", ref: `pypi:${name}@${version}`, name, version, layer, storePath, ...fileIn(found), summary, homepage, licenses };
}

function fileIn(found: { readonly file: string; readonly hash: string; readonly tree: boolean; readonly locked: LockedFile | undefined } | undefined): Pick<Draft, "file" | "sha256" | "origin"> {
  if (found === undefined) return { file: undefined, sha256: undefined, origin: {} };
  return { file: found.file, sha256: found.tree ? undefined : found.hash, origin: found.locked === undefined ? {} : originIn(found.locked) };
}

function originIn(entry: LockedFile): Origin {
  return { ...("url" in entry && { url: entry.url }), ...("git" in entry && { git: entry.git, rev: entry.rev }) };
}

/** Store paths that Debian's packages were unpacked to, each with one or several of them. */
function debianParts(image: ReadImage, { sources, files }: ImageSources, { debian }: Locks): Map<string, Draft[]> {
  const parts = new Map<string, Draft[]>();
  for (const [storePath, { layer }] of image.paths) {
    const own = (sources[storePath] ?? []).flatMap((path) => {
      const [file, hash] = [fileOf(path), files[path]?.hash ?? ""];
      const known = debian.get(hash) ?? debianName(file);
      return known === undefined ? [] : [{ ...plain, kind: "deb", ref: `deb:${known.name}@${known.version}`, name: known.name, version: known.version, layer, storePath, file, sha256: hash } as const];
    });
    if (own.length > 0) parts.set(storePath, own);
  }
  return parts;
}

/** NAME_VERSION_ARCHITECTURE.deb; a file's name lacks the version's epoch. */
function debianName(file: string): { name: string; version: string } | undefined {
  const [, name, version] = /^([^_]+)_([^_]+)_[^_]+\.deb$/.exec(file) ?? [];
  return name === undefined || version === undefined ? undefined : { name, version };
}

/** What was fetched for a store path and is no Python package or Debian's: the program, custom nodes. */
function sourceParts(image: ReadImage, { sources, files }: ImageSources, locks: Locks): Draft[] {
  const python = new Set(image.python.map(({ name }) => name));
  return [...image.paths].flatMap(([storePath, { layer }]) =>
    (sources[storePath] ?? []).flatMap((path) => {
      const { hash = "", tree = false } = files[path] ?? {};
      const locked = locks.files.get(hash);
      if (locked === undefined || python.has(locked.name) || originOf(locked) === "index") return [];
      return [{ ...plain, kind: "source", ref: `source:${locked.name}@${locked.version}`, name: locked.name, version: locked.version, layer, storePath, ...fileIn({ file: fileOf(path), hash, tree, locked }) } as const];
    }),
  );
}

function pathPart(path: string, layer: string): Draft {
  const { name, version } = parseStoreName(path);
  return { ...plain, kind: version === undefined ? "file" : "nix", ref: `store:${path}`, name, version, layer, storePath: path };
}

function fileOf(path: string): string {
  return path.replace(/^[0-9a-z]{32}-/, "");
}
