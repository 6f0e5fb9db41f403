/** What a flavor's layers get from their package set by attribute: in no lock, and nothing above may bring it again. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { FaultError } from "../faults.ts";
import { lockedLayers } from "./assignment.ts";
import type { FlavorFiles } from "./flavor-files.ts";
import type { Progress } from "./progress.ts";
import { normalizeName } from "./requirement.ts";
import { type Provided, systemsOf, type Versions } from "./resolve.ts";
import { isVersion } from "./version.ts";

/** layers/flavors/FLAVOR/LAYER.json, of a layer that takes Python packages by attribute; others have no such list. */
const choiceSchema = z.object({ packages: z.array(z.string()).default([]) });

/** Attributes of the packages that the flavor's layers take from the package set. */
function chosenAttributes({ flavor, graph }: FlavorFiles, layersDir: string): string[] {
  return lockedLayers(graph).flatMap((layer) => {
    const path = `flavors/${flavor}/${layer}.json`;
    return existsSync(join(layersDir, path)) ? readChoice(join(layersDir, path), `layers/${path}`).packages : [];
  });
}

function readChoice(file: string, where: string): z.output<typeof choiceSchema> {
  try {
    return choiceSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    throw new FaultError([{ code: "LOCK_REQUIREMENTS", where, problem: "the layer's packages cannot be read", found: (error as Error).message.replaceAll(/\s+/g, " ") }]);
  }
}

/** What the package set provides: by its own word where Nix can evaluate it, else the names alone, and a line that says so. */
export async function readProvided(files: FlavorFiles, root: string, progress: Progress): Promise<Provided> {
  const attributes = chosenAttributes(files, join(root, "layers"));
  const [system] = systemsOf(files.requirements);
  if (attributes.length === 0 || system === undefined) return { names: [], versions: new Map() };
  progress.say("asking Nix which Python packages the package set brings");
  const found = await evaluate({ layers: `path:${root}/layers`, flavor: files.flavor, system, packages: JSON.stringify(attributes) });
  if (!("problem" in found)) return { names: [...found.keys()], versions: found };
  progress.say(`Nix does not say which versions ${files.flavor}'s package set has: ${found.problem}\nThe index stands in for it; bound these packages in requirements.json to what the package set has.`);
  const names = attributes.map((attribute) => files.requirements.nixpkgsNames[attribute] ?? normalizeName(attribute));
  return { names: [...new Set(names)].sort(), versions: new Map() };
}

function evaluate(values: Readonly<Record<string, string>>): Promise<Versions | { readonly problem: string }> {
  const given = Object.entries(values).flatMap(([name, value]) => ["--argstr", name, value]);
  // One try: who is offline is to be told so soon.
  const options = ["--option", "extra-experimental-features", "flakes", "--option", "download-attempts", "1", "--option", "connect-timeout", "10"];
  const args = ["--eval", "--strict", "--json", ...options, join(import.meta.dirname, "provided.nix"), ...given];
  return new Promise((resolve) => {
    execFile("nix-instantiate", args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) return resolve(packageVersions(stdout));
      const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line.startsWith("error:") && line !== "error:");
      resolve({ problem: lines.at(-1) ?? (stderr.trim() || error.message) });
    });
  });
}

/** nixpkgs dates some versions (`1.2-unstable-2026-01-01`): of these the release they follow. */
export function packageVersions(answer: string): Map<string, string> {
  const found = Object.entries(z.record(z.string(), z.string()).parse(JSON.parse(answer)));
  return new Map(found.map(([name, version]) => [name, isVersion(version) ? version : (/^\d+(\.\d+)*/.exec(version)?.[0] ?? "0")]));
}
