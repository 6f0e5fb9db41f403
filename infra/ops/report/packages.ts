/** What a layer is made to hold: what its lock names, and what its flavor takes from the package set. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { lockPath } from "../../lock/flavor-files.ts";
import { parseLockFile } from "../../lock/lock-file.ts";

export interface Package {
  readonly name: string;
  /** Undefined where the package set decides. */
  readonly version?: string;
}

const names = z.array(z.string()).default([]);
/** layers/flavors/FLAVOR/LAYER.json, as far as it names packages. */
const choice = z.object({ programs: names, fonts: names, packages: names });

export function packagesOf(layersDir: string, flavor: string, layer: string): Package[] {
  const chosen = read(join(layersDir, `flavors/${flavor}/${layer}.json`), (text) => Object.values(choice.parse(JSON.parse(text))).flat().map((name) => ({ name })));
  const lock = join(layersDir, lockPath(flavor, layer));
  const locked = read(lock, (text) => parseLockFile(text, lock).files.map(({ name, version }) => ({ name, version })));
  // A lock has an entry for each system.
  return [...new Map<string, Package>([...chosen, ...locked].map((each) => [each.name, each])).values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function read(file: string, parse: (text: string) => Package[]): Package[] {
  return existsSync(file) ? parse(readFileSync(file, "utf8")) : [];
}
