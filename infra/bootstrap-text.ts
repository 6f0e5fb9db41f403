import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type BootstrapSettings, bootstrapText, pinnedNixpkgs } from "./bootstrap.ts";

/** The text for these settings, from the files of this checkout. */
export function textFor(settings: BootstrapSettings): string {
  return bootstrapText(settings, (name) => readFileSync(join(import.meta.dirname, "hosts", name), "utf8"));
}

/** The nixpkgs from which hosts get what their distribution lacks, as a flake reference. */
export function readNixpkgs(): string {
  return pinnedNixpkgs(readFileSync(join(import.meta.dirname, "../layers/flake.lock"), "utf8"));
}
