/** Which pieces Pulumi is made of here: its own, or what stands in for them where they cannot be had. */
import { execFile } from "node:child_process";
import { closeSync, existsSync, openSync, readSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { ambientPlugin, fileOnPath, installedVersions, pluginFolder } from "./plugin-folders.ts";
import { sdkVersion } from "./sdk.ts";

/** The second line of the script by which set-up starts a stand-in. */
export const STAND_IN = "# stand-in of comfyui-image";

export interface Piece {
  readonly version: string;
  /** Where it is. */
  readonly file: string;
  /** Made by this project, in place of Pulumi's own. */
  readonly standIn: boolean;
}

export interface Pieces {
  readonly cli: Piece;
  /** Null: not there, so Pulumi says what it lacks, or fetches its own. */
  readonly languageHost: Piece | null;
  readonly commandPlugin: Piece | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

const run = promisify(execFile);

/** Throws where there is no `pulumi` on PATH. */
export async function findPieces(env: Environment = process.env): Promise<Pieces> {
  const cli = fileOnPath("pulumi", env);
  if (cli === undefined) throw new Error(`no pulumi on PATH (${env["PATH"]})`);
  const [version, languageHost] = await Promise.all([said(cli, "version", env), findLanguageHost(cli, env)]);
  return { cli: { version, file: realpathSync(cli), standIn: false }, languageHost, commandPlugin: findCommandPlugin(env) };
}

async function said(file: string, question: string, env: Environment): Promise<string> {
  const { stdout } = await run(file, [question], { env: { ...env } });
  return stdout.trim().replace(/^v/, "");
}

function languageHostFile(cli: string, env: Environment): string | undefined {
  const name = "pulumi-language-nodejs";
  return [ambientPlugin(name, env) ?? join(dirname(realpathSync(cli)), name)].find((file) => existsSync(file));
}

async function findLanguageHost(cli: string, env: Environment): Promise<Piece | null> {
  const file = languageHostFile(cli, env);
  if (file === undefined) return null;
  return isStandIn(file) ? { version: sdkVersion(), file, standIn: true } : { version: await said(file, "-version", env), file, standIn: false };
}

/** The newest that is installed, as the engine takes it. One on PATH has no version that could be read off. */
function findCommandPlugin(env: Environment): Piece | null {
  const name = "pulumi-resource-command";
  const ambient = ambientPlugin(name, env);
  if (ambient !== undefined) return { version: "unknown", file: ambient, standIn: isStandIn(ambient) };
  const folder = pluginFolder(env);
  const version = installedVersions(folder, "command").sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
  if (version === undefined) return null;
  const file = join(folder, `resource-command-v${version}`, name);
  return existsSync(file) ? { version, file, standIn: isStandIn(file) } : null;
}

/** Whether any piece is a stand-in, without asking the others anything. */
export function usesStandIns(env: Environment): boolean {
  const cli = fileOnPath("pulumi", env);
  const host = cli === undefined ? undefined : languageHostFile(cli, env);
  return findCommandPlugin(env)?.standIn === true || (host !== undefined && isStandIn(host));
}

function isStandIn(file: string): boolean {
  const descriptor = openSync(file, "r");
  try {
    // Pulumi's own are programs of many megabytes.
    const buffer = Buffer.alloc(256);
    return buffer.toString("utf8", 0, readSync(descriptor, buffer)).split("\n")[1] === STAND_IN;
  } finally {
    closeSync(descriptor);
  }
}

/** In words, for people: "Pulumi 3.274.1 with its own language host and command plugin". */
export function engineWords({ cli, languageHost, commandPlugin }: Pieces): string {
  const standIns = [...(languageHost?.standIn ? ["the Node.js language host"] : []), ...(commandPlugin?.standIn ? ["the command plugin"] : [])];
  const pulumi = `Pulumi ${cli.version}`;
  if (standIns.length === 0) return `${pulumi} with its own language host and command plugin`;
  return `${pulumi} with this project's ${standIns.length === 1 ? "stand-in" : "stand-ins"} for ${standIns.join(" and ")}`;
}
