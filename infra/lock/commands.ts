/** What each command does: every one reads and checks all of it first, then writes all files or none. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Fault, FaultError, gather, throwFaults } from "../faults.ts";
import type { LayerGraph } from "../layer-graph.ts";
import { humanSize, type Style } from "../table.ts";
import { addRequirement } from "./add-requirement.ts";
import { type Command, helpText } from "./arguments.ts";
import { lockedLayers } from "./assignment.ts";
import { changedLocks, type Locks, lockChanges } from "./changes.ts";
import { checkAgainst, checkLocks } from "./check.ts";
import { checkWithIndex } from "./check-index.ts";
import { entriesIn, type FlavorFiles, lockPath, readFlavorFiles, readFlavorFilesGently, requirementsPath, withRequirements } from "./flavor-files.ts";
import { committedText } from "./git-head.ts";
import { repositoryOf } from "./git-url.ts";
import { parseLockFile } from "./lock-file.ts";
import { inParallel } from "./in-parallel.ts";
import { flakeLockPath, newerNixpkgs, withFlakeLock } from "./nixpkgs.ts";
import { nodesLayer, nodesOf, withNode, withoutNode } from "./nodes.ts";
import { updateOutside } from "./outside-updates.ts";
import { askRevision, pinNode } from "./pin-node.ts";
import type { Progress } from "./progress.ts";
import { relock, type World } from "./relock.ts";
import { requirementOf } from "./requirement.ts";
import { formatRequirements, type RequirementsText } from "./requirements-file.ts";
import { writeLocks } from "./write-locks.ts";

export interface Context {
  readonly root: string;
  /** Of all flavors. */
  readonly graph: LayerGraph;
  /** Asks nothing before it is called. `tree`: where layers/ is, of which Nix is asked; default: `root`. */
  readonly world: (files: FlavorFiles, tree?: string) => Promise<World>;
  readonly progress: Progress;
  /** Writes a line for the user. */
  readonly print: (text: string) => void;
  readonly style: Style;
}

type Commands = { readonly [K in Command["kind"]]: (command: Extract<Command, { kind: K }>, context: Context) => Promise<void> };

const layersOf = (root: string): string => join(root, "layers");

export const commands: Commands = {
  async help(_command, { print }) {
    print(helpText);
  },

  async lock({ flavor }, context) {
    const files = readFlavorFiles(context.graph, layersOf(context.root), flavor);
    const locks = await relock(files, await context.world(files), () => false);
    writeLocks(files, { locks }, placeOf(context));
  },

  async add({ flavor, layer, requirement }, context) {
    const files = readFlavorFiles(context.graph, layersOf(context.root), flavor);
    const changed = addRequirement(writtenRequirements(files, context), layer, requirement, lockedLayers(context.graph), `layers/${requirementsPath(flavor)}`);
    const next = nextFiles(files, changed, context);
    const locks = await relock(next.files, await context.world(next.files), () => false);
    writeLocks(next.files, { locks, others: next.others }, placeOf(context));
  },

  async "add-node"({ flavor, url, rev, without }, context) {
    const repository = repositoryOf(url);
    const files = readFlavorFiles(context.graph, layersOf(context.root), flavor);
    context.progress.say(`fetching ${repository.git} at ${rev}`);
    const node = await pinNode(repository, await askRevision(repository.git, rev), without);
    const next = nextFiles(files, withNode(writtenRequirements(files, context), files.requirements, node, entriesIn(files.locks), `layers/${requirementsPath(flavor)}`), context);
    const locks = await relock(next.files, await context.world(next.files), () => false);
    throwFaults(conflictFaults(files.locks, locks, `${node.name} ${node.version}`));
    writeLocks(next.files, { locks, others: next.others }, placeOf(context));
  },

  async "remove-node"({ flavor, name }, context) {
    const files = readFlavorFiles(context.graph, layersOf(context.root), flavor);
    const next = nextFiles(files, withoutNode(writtenRequirements(files, context), files.requirements, name, `layers/${requirementsPath(flavor)}`), context);
    const locks = await relock(next.files, await context.world(next.files), () => false);
    writeLocks(next.files, { locks, others: next.others }, placeOf(context));
  },

  async update({ flavor, names: typed }, context) {
    const files = readFlavorFiles(context.graph, layersOf(context.root), flavor);
    const names = new Set(typed.map((name) => requirementOf(name).name));
    const fromNixpkgs = files.graph.flavors[flavor]?.packageSet === "nixpkgs";
    throwFaults(unlockedFaults(names, files, fromNixpkgs));
    const wanted = (name: string) => names.size === 0 || names.has(name);
    const nixpkgs = fromNixpkgs && wanted("nixpkgs") ? await newerNixpkgs(readFileSync(join(layersOf(context.root), flakeLockPath), "utf8"), context.progress.say) : undefined;
    const nodes = new Set(nodesOf(files.requirements).map(({ name }) => name));
    const outside = await inParallel(files.requirements.files, async (file) => ({ file, found: wanted(file.name) ? await updateOutside(file, { isNode: nodes.has(file.name), say: context.progress.say }) : { file } }));
    const newer = outside.map(({ file, found }) => ("file" in found ? found.file : file));
    const next = newer.every((file, at) => file === outside[at]?.file) ? { files, others: new Map<string, string>() } : nextFiles(files, { ...writtenRequirements(files, context), files: newer }, context);
    const locked = (tree: string) => context.world(next.files, tree).then((world) => relock(next.files, world, wanted));
    const outcome = nixpkgs === undefined
      ? { locks: await locked(context.root), others: next.others }
      : { locks: await withFlakeLock(context.root, nixpkgs.text, locked), others: new Map([...next.others, [flakeLockPath, nixpkgs.text]]), everywhere: [{ name: "nixpkgs", from: nixpkgs.from, to: nixpkgs.to }] };
    writeLocks(next.files, outcome, placeOf(context));
    for (const { file, found } of outside) if ("stays" in found) context.print(`${file.name} ${file.version} stays: ${found.stays}`);
  },

  async check({ flavor }, context) {
    const { root, graph } = context;
    const read = readFlavorFilesGently(graph, layersOf(root), flavor);
    const { files } = read;
    const faults = [...read.faults];
    const world = await context.world(files);
    const layers = lockedLayers(files.graph);
    // What a package set brings is in no lock, and nobody knows what a lock that cannot be read would have.
    const partial = world.provided.names.length > 0 || faults.length > 0;
    faults.push(...checkLocks(files, faults.length > 0 ? [] : layers, partial), ...checkAgainst(committedEntries(root, files, layers), files));
    try {
      faults.push(...(await checkWithIndex(files, world.client)));
      if (faults.length === 0) faults.push(...staleFaults(files, await relock(files, world, () => false)));
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      faults.push(...error.faults);
    }
    throwFaults(faults);
    context.print(`The locks of ${flavor} are right: ${entriesIn(files.locks).length} files, ${humanSize(entriesIn(files.locks).reduce((sum, { size = 0 }) => sum + size, 0))}.`);
  },
};

/** Runs one command; the table has one for each kind. */
export async function runCommand(command: Command, context: Context): Promise<void> {
  await (commands[command.kind] as (command: Command, context: Context) => Promise<void>)(command, context);
}

const placeOf = ({ root, print, style }: Context) => ({ layersDir: layersOf(root), print, style });

function writtenRequirements({ flavor }: FlavorFiles, { root }: Context): RequirementsText {
  return JSON.parse(readFileSync(join(layersOf(root), requirementsPath(flavor)), "utf8")) as RequirementsText;
}

/** The flavor as it is with these requirements, and the file that makes it so. */
function nextFiles(files: FlavorFiles, requirements: RequirementsText, { root, graph }: Context): { readonly files: FlavorFiles; readonly others: ReadonlyMap<string, string> } {
  const text = formatRequirements(requirements);
  return { files: withRequirements(graph, layersOf(root), files, text), others: new Map([[requirementsPath(files.flavor), text]]) };
}

/** A node goes on top: what the layers below have is not changed for it. */
function conflictFaults(before: Locks, after: Locks, node: string): Fault[] {
  const below = (locks: Locks) => new Map([...locks].filter(([layer]) => layer !== nodesLayer));
  return lockChanges(below(before), below(after)).map(({ name, from, to, layer }) => ({ code: "LOCK_NODE_CONFLICT", where: node, problem: `what it requires would change ${layer}`, found: `${name} ${to || "left out"}`, expected: `${name} ${from || "not there"}, as it is locked` }));
}

function unlockedFaults(names: ReadonlySet<string>, { flavor, locks }: FlavorFiles, fromNixpkgs: boolean): Fault[] {
  const known = new Set([...entriesIn(locks).map(({ name }) => name), ...(fromNixpkgs ? ["nixpkgs"] : [])]);
  return [...names].filter((name) => !known.has(name)).map((name) => ({ code: "LOCK_UNKNOWN_NAME", where: `npm run lock -- update ${name}`, problem: `flavor ${flavor} locks no distribution of this name`, found: name, expected: "a name in one of its locks" }));
}

/** The entries as the last commit has them: a lock that was broken there is no reason to fail here. */
function committedEntries(root: string, { flavor }: FlavorFiles, layers: readonly string[]) {
  const ignored: Fault[] = [];
  return layers.flatMap((layer) => {
    const path = `layers/${lockPath(flavor, layer)}`;
    const text = committedText(root, path);
    return text === undefined ? [] : (gather(ignored, () => parseLockFile(text, path))?.files ?? []);
  });
}

/** Each distribution whose lock would be another one now. */
function staleFaults({ flavor, locks }: FlavorFiles, now: Locks): Fault[] {
  const changes = lockChanges(locks, now).map(({ name, from, to, layer }): Fault => ({ code: "LOCK_STALE", where: `layers/${lockPath(flavor, layer)}: ${name}`, problem: "the requirements give something else than what is locked", found: from || "nothing", expected: to || "nothing", fix: `npm run lock -- --flavor ${flavor}` }));
  if (changes.length > 0) return changes;
  return changedLocks(locks, now).map((layer) => ({ code: "LOCK_STALE", where: `layers/${lockPath(flavor, layer)}`, problem: "the file is not written as the tool writes it, or lacks a size that the index states", fix: `npm run lock -- --flavor ${flavor}` }));
}
