/** Which of the installed npm packages want a plugin: the engine fetches those that it lacks before the program starts. */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { FaultError } from "../../faults.ts";

export interface PluginNeed {
  readonly name: string;
  readonly version: string;
  /** Where to download it from; empty: from where Pulumi's own are. */
  readonly server: string;
}

/** Of a package.json, what is about plugins. */
export interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly pulumi?: {
    readonly resource?: boolean;
    readonly name?: string;
    readonly version?: string;
    readonly server?: string;
    readonly parameterization?: unknown;
    readonly extensionParameterization?: unknown;
  };
}

/** Those of each `node_modules` in the program's folder or below it, by any link; one above it counts as little as it does with Pulumi's own. */
export function pluginNeeds(programFolder: string): PluginNeed[] {
  const seen = new Set<string>();
  return nodeModules(programFolder, seen).flatMap((folder) => packageFolders(folder, seen)).flatMap((folder) => {
    const file = join(folder, "package.json");
    return existsSync(file) ? pluginNeed(JSON.parse(readFileSync(file, "utf8")) as Manifest, file) : [];
  });
}

/** Throws a FaultError for a package that wants more of its plugin than the program's packages do. */
export function pluginNeed({ name = "", version = "", pulumi = {} }: Manifest, file: string): PluginNeed[] {
  if (pulumi.resource !== true) return [];
  const plugin = pulumi.name ?? /^@pulumi\/(.+)$/.exec(name)?.[1];
  const wanted = pulumi.version ?? version;
  const limit = (problem: string) => new FaultError([{ code: "PLUGIN_LIMIT", where: file, problem }]);
  if (plugin === undefined || wanted === "") throw limit("this package wants a plugin, and does not say which");
  if ((pulumi.parameterization ?? pulumi.extensionParameterization) !== undefined) throw limit("this project's language host knows no plugins with parameters");
  return [{ name: plugin, version: wanted.startsWith("v") ? wanted : `v${wanted}`, server: pulumi.server ?? "" }];
}

/** Folders below one, by their real paths and each once. */
function foldersIn(folder: string, seen: Set<string>): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory() || entry.isSymbolicLink());
  return entries.flatMap(({ name }) => {
    const path = join(folder, name);
    // A link may lead nowhere.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
    const real = realpathSync.native(path);
    if (seen.has(real)) return [];
    seen.add(real);
    return [path];
  });
}

function nodeModules(folder: string, seen: Set<string>): string[] {
  return foldersIn(folder, seen).flatMap((each) => (basename(each) === "node_modules" ? [each] : nodeModules(each, seen)));
}

/** The packages in a `node_modules`, those in their own ones among them. */
function packageFolders(folder: string, seen: Set<string>): string[] {
  const packages = foldersIn(folder, seen).flatMap((each) => (basename(each).startsWith("@") ? foldersIn(each, seen) : [each]));
  return packages.flatMap((each) => [each, ...(existsSync(join(each, "node_modules")) ? packageFolders(join(each, "node_modules"), seen) : [])]);
}
