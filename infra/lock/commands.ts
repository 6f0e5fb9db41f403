/** What each command does: every one reads and checks all of it first, then writes all files or none. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Fault, FaultError, gather, throwFaults } from "../faults.ts";
import type { LayerGraph } from "../layer-graph.ts";
import { humanSize, type Style, table } from "../table.ts";
import { addRequirement } from "./add-requirement.ts";
import { type Command, helpText } from "./arguments.ts";
import { lockedLayers } from "./assignment.ts";
import { changedLocks, type Locks, lockChanges, rebuiltLayers } from "./changes.ts";
import { checkAgainst, checkLocks } from "./check.ts";
import { checkWithIndex } from "./check-index.ts";
import { entriesIn, type FlavorFiles, lockPath, readFlavorFiles, readFlavorFilesGently, requirementsPath } from "./flavor-files.ts";
import { committedText } from "./git-head.ts";
import { inParallel } from "./in-parallel.ts";
import { formatLockFile, type LockFile, parseLockFile } from "./lock-file.ts";
import { updateOutside } from "./outside-updates.ts";
import { relock, type World } from "./relock.ts";
import { requirementOf } from "./requirement.ts";
import { formatRequirements, parseRequirements, type RequirementsText } from "./requirements-file.ts";
import { writeFiles } from "./write-files.ts";

export interface Context {
  readonly root: string;
  /** Of all flavors. */
  readonly graph: LayerGraph;
  /** Asks nothing before it is called. */
  readonly world: (files: FlavorFiles) => Promise<World>;
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
    write(files, locks, new Map(), context);
  },

  async add({ flavor, layer, requirement }, context) {
    const { root, graph } = context;
    const files = readFlavorFiles(graph, layersOf(root), flavor);
    const path = join(layersOf(root), requirementsPath(flavor));
    const written = JSON.parse(readFileSync(path, "utf8")) as RequirementsText;
    const text = formatRequirements(addRequirement(written, layer, requirement, lockedLayers(files.graph), `layers/${requirementsPath(flavor)}`));
    const wanted: FlavorFiles = { ...files, requirements: parseRequirements(text, `layers/${requirementsPath(flavor)}`, lockedLayers(files.graph)) };
    const locks = await relock(wanted, await context.world(wanted), () => false);
    write(files, locks, new Map([[path, text]]), context);
  },

  async update({ flavor, names }, context) {
    const files = readFlavorFiles(context.graph, layersOf(context.root), flavor);
    const wanted = new Set(names.map((name) => requirementOf(name).name));
    throwFaults(unlockedFaults(wanted, files));
    const moves = (name: string) => wanted.size === 0 || wanted.has(name);
    const outside = await inParallel(files.requirements.files, async (file) => ({ file, found: moves(file.name) ? await updateOutside(file) : { file } }));
    const newer: FlavorFiles = { ...files, requirements: { ...files.requirements, files: outside.map(({ file, found }) => ("file" in found ? found.file : file)) } };
    const locks = await relock(newer, await context.world(newer), moves);
    write(files, locks, outside.some(({ file, found }) => "file" in found && found.file !== file) ? writtenFiles(newer, context.root) : new Map(), context);
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

/** The requirements file with newer files of its own. */
function writtenFiles({ flavor, requirements }: FlavorFiles, root: string): ReadonlyMap<string, string> {
  const path = join(layersOf(root), requirementsPath(flavor));
  const written = JSON.parse(readFileSync(path, "utf8")) as RequirementsText;
  return new Map([[path, formatRequirements({ ...written, files: requirements.files })]]);
}

function unlockedFaults(names: ReadonlySet<string>, { flavor, locks }: FlavorFiles): Fault[] {
  const known = new Set(entriesIn(locks).map(({ name }) => name));
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

/** Writes the locks that changed, with other files, and says what that means. */
function write({ flavor, graph, locks }: FlavorFiles, now: Locks, others: ReadonlyMap<string, string>, { root, print, style }: Context): void {
  const changed = changedLocks(locks, now);
  const texts = changed.map((layer) => [join(layersOf(root), lockPath(flavor, layer)), formatLockFile(now.get(layer) as LockFile)] as const);
  writeFiles(new Map([...texts, ...others]));
  const changes = lockChanges(locks, now);
  if (changes.length > 0) print(table([["DISTRIBUTION", "OLD", "NEW", "LAYER"].map(style.bold), ...changes.map(({ name, from, to, layer }) => [name, from || "-", to || "-", layer])]));
  print(changed.length === 0 ? `Nothing to do: the locks of ${flavor} are what its requirements give.` : `Written: ${changed.map((layer) => lockPath(flavor, layer)).join(", ")}\nRebuilt by the next \`pulumi up\`: ${rebuiltLayers(graph, flavor, changed).join(", ")}`);
}
