/** Pulumi's SDK, as npm installed it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export function sdkVersion(): string {
  const file = join(import.meta.dirname, "../../node_modules/@pulumi/pulumi/package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
