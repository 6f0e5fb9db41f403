/** What is updated together, by one pull request each. */
import type { Fault } from "../faults.ts";
import type { FlavorFiles } from "../lock/flavor-files.ts";

export interface UpdateGroup {
  /** Title of the pull request. */
  readonly title: string;
  /** What `npm run lock -- update` is asked for, of one flavor. Nothing: the flavor has nothing of the group. */
  readonly names: (files: Pick<FlavorFiles, "flavor" | "graph" | "locks">) => readonly string[];
}

/** The packages of the index in one layer's lock. */
function wheels(layer: string): UpdateGroup {
  return {
    title: `Newer packages in ${layer}`,
    names: ({ locks }) => unique((locks.get(layer)?.files ?? []).filter((entry) => "index" in entry).map(({ name }) => name)),
  };
}

/** By name, which is the branch's too: update/NAME. .github/workflows/update.yml lists the same. */
export const updateGroups = {
  "layer1-python": wheels("layer1-python"),
  "layer3-pytorch": wheels("layer3-pytorch"),
  "layer4-deps": wheels("layer4-deps"),
  "layer5-perf": wheels("layer5-perf"),
  "layer7-nodes": wheels("layer7-nodes"),
  sources: {
    title: "Newer sources",
    names: ({ locks }) => unique([...locks.values()].flatMap(({ files }) => files).filter((entry) => "git" in entry).map(({ name }) => name)),
  },
  nixpkgs: {
    title: "Newer nixpkgs",
    names: ({ flavor, graph }) => (graph.flavors[flavor]?.packageSet === "nixpkgs" ? ["nixpkgs"] : []),
  },
} as const satisfies Record<string, UpdateGroup>;

export type UpdateGroupName = keyof typeof updateGroups;

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

/** An update changes what is locked and what is asked for; anything else in its patch is refused. */
export function outsideOf(files: readonly string[]): Fault[] {
  return files.filter((file) => !/^layers\/(locks|flavors)\/[^/]+\/[^/]+\.json$|^layers\/flake\.lock$/.test(file)).map((file) => ({
    code: "CI_UPDATE_OUTSIDE",
    where: file,
    problem: "an update changed a file that is not its own",
    expected: "layers/locks/FLAVOR/…, layers/flavors/FLAVOR/… or layers/flake.lock",
  }));
}
