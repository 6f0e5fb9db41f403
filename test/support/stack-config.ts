/** Another configuration for a sandbox's stack. */
import { readFileSync, writeFileSync } from "node:fs";
import { initStack } from "./pulumi.ts";
import type { Sandbox } from "./sandbox.ts";

const stackOf = ({ env }: Sandbox) => env["PULUMI_STACK"] ?? "local";

/** Writes the stack's file with exactly these `comfyui:` values; the others have their defaults. YAML, of which JSON is a part. */
export function configure(sandbox: Sandbox, values: Readonly<Record<string, unknown>>): void {
  const file = sandbox.host(`stacks/Pulumi.${stackOf(sandbox)}.yaml`);
  const salt = /encryptionsalt"?: "?([^\s"]+)/.exec(readFileSync(file, "utf8"))?.[1];
  const config = Object.fromEntries(Object.entries(values).map(([key, value]) => [`comfyui:${key}`, value]));
  writeFileSync(file, `${JSON.stringify({ encryptionsalt: salt, config }, null, 2)}\n`);
}

/** Adds secrets, encrypted, as a user does: by their paths (`buildHost.privateKey`). */
export async function configureSecrets(sandbox: Sandbox, secrets: Readonly<Record<string, string>>): Promise<void> {
  await initStack(sandbox);
  for (const [path, value] of Object.entries(secrets)) {
    await sandbox.run("pulumi", ["config", "set", "--secret", "--path", `comfyui:${path}`, "--stack", stackOf(sandbox)], { input: value });
  }
}
