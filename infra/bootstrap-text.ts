import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type BootstrapSettings, bootstrapText } from "./bootstrap.ts";

/** The text for these settings, from the files of this checkout. */
export function textFor(settings: BootstrapSettings): string {
  return bootstrapText(settings, (name) => readFileSync(join(import.meta.dirname, "hosts", name), "utf8"));
}
