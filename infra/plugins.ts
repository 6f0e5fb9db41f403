/** Whether Pulumi will find the plugins of the packages that a stack uses, asked before anything is registered. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Fault, FaultError } from "./faults.ts";
import { usesStandIns } from "./pulumi/pieces.ts";
import { ambientPlugin, installedVersions, pluginFolder, truthy } from "./pulumi/plugin-folders.ts";

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
  const folder = pluginFolder(env);
  const faults = names.map(pluginOf).flatMap(({ name, version }): Fault[] => {
    const installed = installedVersions(folder, name);
    if (installed.some((each) => atLeast(each, version)) || ambientPlugin(`pulumi-resource-${name}`, env) !== undefined) return [];
    const problem = `Pulumi's plugin for ${name} is not there, and may not be downloaded`;
    return [{ code: "PLUGIN_MISSING", where: folder, problem, found: installed.join(", ") || "none", expected: `resource-${name}-v${version}`, fix: fixFor(name, version, env) }];
  });
  if (faults.length > 0) throw new FaultError(faults);
}

/** Where set-up could not fetch Pulumi's own pieces, it has turned their download off, and would do so again. */
function fixFor(name: string, version: string, env: NodeJS.ProcessEnv): string {
  const install = `pulumi plugin install resource ${name} ${version}`;
  if (usesStandIns(env)) return `on a network that reaches Pulumi's downloads: npm run setup (which takes Pulumi's own pieces then), or ${install}`;
  return `${install}; or, for Pulumi to fetch it by itself: unset PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION`;
}

function atLeast(version: string, least: string): boolean {
  return version.localeCompare(least, "en", { numeric: true }) >= 0;
}
