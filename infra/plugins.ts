/** Whether Pulumi will find the plugins of the packages that a stack uses, asked before anything is registered. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { type Fault, FaultError } from "./faults.ts";

const packageFile = z.object({ pulumi: z.object({ name: z.string(), version: z.string() }) });

/** The plugin that the installed npm package `@pulumi/NAME` asks the engine for. */
function pluginOf(name: string): { readonly name: string; readonly version: string } {
  const file = join(import.meta.dirname, "../node_modules/@pulumi", name, "package.json");
  return packageFile.parse(JSON.parse(readFileSync(file, "utf8"))).pulumi;
}

/**
 * Ends the program where the plugin of one of these packages (`aws`: that of @pulumi/aws) is not there and Pulumi may not
 * download it. The engine would say so too, but in the middle of a run that has made something already, and not what helps.
 * Where it may download (the usual case), nothing is looked at; nor is a plugin beside Pulumi or on PATH denied.
 */
export function needPlugins(names: readonly string[], env: NodeJS.ProcessEnv = process.env): void {
  if (!truthy(env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"])) return;
  const folder = join(env["PULUMI_HOME"] ?? join(homedir(), ".pulumi"), "plugins");
  const faults = names.map(pluginOf).flatMap(({ name, version }): Fault[] => {
    if (installed(folder, name).some((each) => atLeast(each, version)) || onPath(name, env)) return [];
    const problem = `Pulumi's plugin for ${name} is not there, and may not be downloaded`;
    return [{ code: "PLUGIN_MISSING", where: folder, problem, found: installed(folder, name).join(", ") || "none", expected: `resource-${name}-v${version}`, fix: `pulumi plugin install resource ${name} ${version}; or, for Pulumi to fetch it by itself: unset PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION` }];
  });
  if (faults.length > 0) throw new FaultError(faults);
}

/** As Go's strconv.ParseBool, by which the engine reads it. */
function truthy(value: string | undefined): boolean {
  return /^(1|t|T|TRUE|true|True)$/.test(value ?? "");
}

function installed(folder: string, name: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((each) => new RegExp(`^resource-${name}-v(\\d+\\.\\d+\\.\\d+)$`).exec(each)?.[1] ?? []);
}

function atLeast(version: string, least: string): boolean {
  return version.localeCompare(least, "en", { numeric: true }) >= 0;
}

function onPath(name: string, env: NodeJS.ProcessEnv): boolean {
  if (truthy(env["PULUMI_IGNORE_AMBIENT_PLUGINS"])) return false;
  return (env["PATH"] ?? "").split(":").some((folder) => folder !== "" && existsSync(join(folder, `pulumi-resource-${name}`)));
}
