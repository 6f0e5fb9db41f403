/** Locks a flavor anew: resolves, asks the index for every file, and gives back whole new locks. Writes nothing. */
import { type Fault, throwFaults } from "../faults.ts";
import { assignLayers, lockedLayers } from "./assignment.ts";
import { type Choice, chooseFile, entriesOf, outsideEntry, wantedFiles } from "./entries.ts";
import { entriesIn, type FlavorFiles, lockedVersions, requirementsPath } from "./flavor-files.ts";
import { withHash } from "./hash-file.ts";
import type { IndexClient, IndexFile } from "./index-client.ts";
import type { LockedFile, LockFile } from "./lock-file.ts";
import { inParallel } from "./in-parallel.ts";
import type { Progress } from "./progress.ts";
import { requirementOf } from "./requirement.ts";
import { type Provided, type Resolution, resolveFlavor, type Resolver, systemsOf } from "./resolve.ts";

/** The parts of the world that locking asks. */
export interface World {
  readonly resolver: Resolver;
  readonly client: IndexClient;
  readonly progress: Progress;
  readonly provided: Provided;
}

/** New locks by layer. `forget` says whose locked version need not stay. Throws one FaultError with all that is wrong. */
export async function relock(files: FlavorFiles, world: World, forget: (name: string) => boolean): Promise<ReadonlyMap<string, LockFile>> {
  const { graph, requirements, locks } = files;
  const where = `layers/${requirementsPath(files.flavor)}`;
  await checkNames(files, world, where);
  const kept = systemsOf(requirements).map((system) => [system, new Map([...lockedVersions(locks, system)].filter(([name]) => !forget(name)))] as const);
  world.progress.say(`resolving ${files.flavor} for ${systemsOf(requirements).join(" and ")}`);
  const resolution = await resolveFlavor(requirements, world.provided, new Map(kept), world.resolver);
  const places = assignLayers(graph, resolution.closures);
  const names = [...new Set([...resolution.versions.values()].flatMap((versions) => [...versions.keys()]))].filter((name) => !resolution.provided.has(name)).sort();
  throwFaults(names.filter((name) => !places.has(name)).map((name) => placeFault(name, resolution, where)));
  const entries = await lockEntries(files, world, resolution, where);
  return new Map(lockedLayers(graph).map((layer) => [layer, { files: names.filter((name) => places.get(name) === layer).flatMap((name) => entries.get(name) ?? []) }]));
}

/** Names that the index does not know, before uv says so in many words. */
async function checkNames({ requirements }: FlavorFiles, { client, provided }: World, where: string): Promise<void> {
  const outside = new Set([...requirements.files.map(({ name }) => name), ...requirements.leaveOut.map(({ name }) => name), ...provided.versions.keys()]);
  const required = Object.entries(requirements.layers).flatMap(([layer, texts]) => texts.map((text) => ({ place: `${where}: layers.${layer}`, name: requirementOf(text).name })));
  const wanted = [...required, ...provided.names.map((name) => ({ place: `${where}: nixpkgsNames, for a package of the package set`, name }))].filter(({ name }) => !outside.has(name));
  const faults = await inParallel(wanted, async ({ place, name }): Promise<Fault[]> =>
    (await client.files(name)) === undefined ? [{ code: "LOCK_UNKNOWN_NAME", where: place, problem: "the index knows no distribution of this name", found: name, expected: "a name as the package index writes it" }] : []);
  throwFaults(faults.flat());
}

const placeFault = (name: string, { closures }: Resolution, where: string): Fault => ({
  code: "LOCK_NO_PLACE",
  where,
  problem: `${name} is needed by layers that have no layer with a lock below them all`,
  found: [...closures].filter(([, closure]) => closure.has(name)).map(([layer]) => layer).join(" and "),
  expected: "one layer that is, or lies below, each of them",
});

/** All entries by name: from the requirements where they give the file, else from the index. */
async function lockEntries({ requirements, locks }: FlavorFiles, { client, progress }: World, resolution: Resolution, where: string): Promise<ReadonlyMap<string, LockedFile[]>> {
  const before = entriesIn(locks);
  const wanted = wantedFiles(requirements, resolution, before);
  progress.say(`asking the index for the files of ${new Set(wanted.map(({ name }) => name)).size} distributions`);
  const chosen = await inParallel(wanted, async (each) => chooseFile(each, (await client.files(each.name)) ?? [], where));
  throwFaults(chosen.filter((each): each is Fault => "code" in each));
  const hashed = new Map<string, IndexFile>();
  const choices: Choice[] = [];
  for (const choice of chosen as Choice[]) {
    const file = hashed.get(choice.file.url) ?? (await withHash(client, choice.file, progress));
    hashed.set(choice.file.url, file);
    choices.push({ ...choice, file });
  }
  const everywhere = systemsOf(requirements).length;
  const byName = Map.groupBy(choices, ({ name }) => name);
  const entries = new Map([...byName].map(([name, each]) => [name, entriesOf(each, requirements, everywhere, before)]));
  for (const file of requirements.files) entries.set(file.name, [...(entries.get(file.name) ?? []), outsideEntry(file)]);
  return entries;
}
