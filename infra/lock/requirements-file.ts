import { z } from "zod";
import { type Fault, FaultError, throwFaults } from "../faults.ts";
import { issueViews } from "../zod-faults.ts";
import { buildSchema, byOrigin, originSchemas, systemName } from "./lock-file.ts";
import { normalizeName, parseRequirement } from "./requirement.ts";

const name = z.string().refine((text) => text === normalizeName(text) && parseRequirement(text)?.name === text, { message: "a normalized name" });
const requirement = z.string().refine((text) => parseRequirement(text) !== undefined, { message: "a requirement: NAME[EXTRA] BOUNDS; MARKER" });

/** What a distribution that uv cannot read needs, as static metadata: nothing is downloaded or built to find out. */
const requires = z.array(requirement);

const outsideSchemas = {
  url: originSchemas.url.extend({ requires }),
  /** `without`: what a custom node's repository requires and `requires` leaves out, now and when it is updated. */
  git: originSchemas.git.extend({ requires, without: z.array(name).optional() }),
  given: originSchemas.given.extend({ requires }),
} as const;

/** A file that no package index has: as it stands in the lock, and what it needs. Its layer follows from who requires it. */
export type OutsideFile = { [O in keyof typeof outsideSchemas]: z.output<(typeof outsideSchemas)[O]> }[keyof typeof outsideSchemas];

/**
 * layers/flavors/FLAVOR/requirements.json, written by hand: what the lock tool resolves into layers/locks/FLAVOR/. Nix does not
 * read it and no layer has it as input: only what is locked counts.
 */
export const requirementsSchema = z.strictObject({
  /** The Python that the layers have, such as 3.14. */
  python: z.string().regex(/^3\.\d+$/, "a minor version of Python 3"),
  /** What is locked for each system: the newest manylinux platform its wheels may have. */
  systems: z.partialRecord(systemName, z.string().regex(/^manylinux_2_\d+$/, "manylinux_2_N")),
  /** Requirements of each layer. What they bring along goes to the same layer, or to one below that every layer in need of it has. */
  layers: z.record(z.string(), z.array(requirement)),
  /** Bounds on whatever comes along: `numpy<3` requires nothing by itself. */
  bounds: z.array(requirement).default([]),
  /** Requirements that replace those of the same name in every distribution's metadata: bounds that no longer hold. */
  overrides: z.array(requirement).default([]),
  /** Distributions of the index that are built from their source: only these are, everything else must have a wheel. */
  fromSource: z.record(name, z.strictObject({
    /** What it needs. Absent: uv builds it, with the Python it finds, to learn that. */
    requires: requires.optional(),
    build: buildSchema.optional(),
  })).default({}),
  /** Files that no package index has, and what each needs. */
  files: z.array(byOrigin<OutsideFile>(outsideSchemas)).default([]),
  /** What a system does without, wherever it is required, and why: where a distribution has no wheel for it. */
  leaveOut: z.array(z.strictObject({ name, system: systemName, reason: z.string().min(1) })).default([]),
  /** Names of nixpkgs' attributes that differ from the package index's: `"opencv4": "opencv-python-headless"`. */
  nixpkgsNames: z.record(z.string(), name).default({}),
});

/** As written. */
export type RequirementsText = z.input<typeof requirementsSchema>;
/** With the defaults filled in. */
export type Requirements = z.output<typeof requirementsSchema>;

/** Parses a requirements file; throws one FaultError with all that is wrong. `where` names the file, `layers` are those that may have some. */
export function parseRequirements(text: string, where: string, layers: readonly string[]): Requirements {
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch (error) {
    throw new FaultError([{ code: "LOCK_REQUIREMENTS", where, problem: "the file is not JSON", found: (error as Error).message }]);
  }
  const result = requirementsSchema.safeParse(input);
  if (!result.success) {
    throw new FaultError(issueViews(result.error, input).map(({ path, problem, found, expected }) => ({ code: "LOCK_REQUIREMENTS", where: `${where}: ${path || "the whole file"}`, problem, found, expected })));
  }
  throwFaults(Object.keys(result.data.layers).flatMap((layer): Fault[] => (layers.includes(layer) ? [] : [{ code: "LOCK_LAYER_UNKNOWN", where: `${where}: layers.${layer}`, problem: "there is no layer of this name that has a lock", found: layer, expected: layers.join(", ") }])));
  return result.data;
}

/** The one written form: two blanks a level, one requirement a line, so that an added requirement is one line of a diff. */
export function formatRequirements(requirements: RequirementsText): string {
  return `${JSON.stringify(requirements, null, 2)}\n`;
}
