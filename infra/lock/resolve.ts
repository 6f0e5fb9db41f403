import type { Closures } from "./assignment.ts";
import type { System } from "./lock-file.ts";
import type { Requirements } from "./requirements-file.ts";
import type { Question } from "./uv.ts";

/** Versions by name. */
export type Versions = ReadonlyMap<string, string>;

/** What fits together, for each system, and which layer needs what. */
export interface Resolution {
  readonly versions: ReadonlyMap<System, Versions>;
  /** Over all systems: a distribution has one layer wherever it is used. */
  readonly closures: Closures;
  /** What the package set brings, with all that comes along: in no lock. */
  readonly provided: ReadonlySet<string>;
}

/** Answers a question with one version for each name; throws where there is no answer. */
export type Resolver = (question: Question) => Promise<Versions>;

/** What layers get from their package set. */
export interface Provided {
  readonly names: readonly string[];
  /** Of all of them with all they bring, where the package set could be asked; else empty: then the index stands in for it. */
  readonly versions: Versions;
}

export const systemsOf = (requirements: Requirements): System[] => Object.keys(requirements.systems) as System[];

const pins = (versions: Versions): string[] => [...versions].map(([name, version]) => `${name}==${version}`);

/** A question about some requirements on one system, with everything in it that holds for all. */
export function questionFor(requirements: Requirements, provided: Provided, system: System, wanted: readonly string[], pinned: Versions, preferred: Versions): Question {
  const known = [
    ...requirements.files.filter((file) => (file.system ?? system) === system),
    // What they bring is among them.
    ...[...provided.versions].map(([name, version]) => ({ name, version, requires: [] })),
  ];
  const knownNames = new Set(known.map(({ name }) => name));
  return {
    target: { python: requirements.python, platform: requirements.systems[system] as string, system },
    requirements: wanted,
    constraints: [...requirements.bounds, ...pins(new Map([...pinned].filter(([name]) => !knownNames.has(name))))],
    overrides: requirements.overrides,
    excludes: requirements.leaveOut.filter((rule) => rule.system === system).map(({ name }) => name),
    fromSource: new Map(Object.entries(requirements.fromSource).map(([name, { requires }]) => [name, requires])),
    known,
    preferred: new Map([...preferred].filter(([name]) => !knownNames.has(name))),
  };
}

/**
 * Resolves everything together, so that one version of each distribution serves all layers; a later system keeps an earlier
 * one's versions where it can. Which layer needs what is then each layer's own resolution with these versions pinned: exact
 * with extras and markers, as it is the resolver that walks them.
 */
export async function resolveFlavor(requirements: Requirements, provided: Provided, preferred: ReadonlyMap<System, Versions>, resolver: Resolver): Promise<Resolution> {
  const layers = Object.entries(requirements.layers);
  const [versions, closures, brought] = [new Map<System, Versions>(), new Map(layers.map(([layer]) => [layer, new Set<string>()])), new Set<string>()];
  let before: Versions = new Map();
  for (const system of systemsOf(requirements)) {
    const ask = (wanted: readonly string[], pinned: Versions, kept: Versions) => (wanted.length === 0 ? new Map<string, string>() : resolver(questionFor(requirements, provided, system, wanted, pinned, kept)));
    const all = await ask([...provided.names, ...layers.flatMap(([, wanted]) => wanted)], new Map(), new Map([...(preferred.get(system) ?? []), ...before]));
    const closureOf = async (wanted: readonly string[], into: Set<string> | undefined) => (await ask(wanted, all, all)).forEach((_, name) => into?.add(name));
    await Promise.all([closureOf(provided.names, brought), ...layers.map(([layer, wanted]) => closureOf(wanted, closures.get(layer)))]);
    versions.set(system, all);
    before = new Map([...before, ...all]);
  }
  return { versions, closures, provided: brought };
}
