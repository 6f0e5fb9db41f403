/** Where the engine looks for its plugins. */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** The folder of those that were installed. */
export function pluginFolder(env: Environment): string {
  return join(env["PULUMI_HOME"] ?? join(homedir(), ".pulumi"), "plugins");
}

/** The versions of a resource plugin that are in the folder. */
export function installedVersions(folder: string, name: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((each) => new RegExp(`^resource-${name}-v(\\d+\\.\\d+\\.\\d+)$`).exec(each)?.[1] ?? []);
}

/** The first file of this name on PATH. */
export function fileOnPath(name: string, env: Environment): string | undefined {
  return (env["PATH"] ?? "").split(":").filter((folder) => folder !== "").map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/** A plugin on PATH, which the engine takes before all others unless it is told not to. */
export function ambientPlugin(file: string, env: Environment): string | undefined {
  return truthy(env["PULUMI_IGNORE_AMBIENT_PLUGINS"]) ? undefined : fileOnPath(file, env);
}

/** As Go's strconv.ParseBool, by which the engine reads it. */
export function truthy(value: string | undefined): boolean {
  return /^(1|t|T|TRUE|true|True)$/.test(value ?? "");
}
