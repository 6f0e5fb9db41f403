/** Another configuration for a sandbox's stack. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Sandbox } from "./sandbox.ts";

/** Writes the stack's file with exactly these `comfyui:` values; the others have their defaults. YAML, of which JSON is a part. */
export function configure(sandbox: Sandbox, values: Readonly<Record<string, unknown>>): void {
  const file = sandbox.host("stacks/Pulumi.local.yaml");
  const salt = /encryptionsalt"?: "?([^\s"]+)/.exec(readFileSync(file, "utf8"))?.[1];
  const config = Object.fromEntries(Object.entries(values).map(([key, value]) => [`comfyui:${key}`, value]));
  writeFileSync(file, `${JSON.stringify({ encryptionsalt: salt, config }, null, 2)}\n`);
}
