/** A Pulumi of chosen pieces, made in a folder: with the language host and the command plugin that are its own, or with their stand-ins. */
import { constants, copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { STAND_IN } from "../../infra/pulumi/pieces.ts";
import { fileOnPath } from "../../infra/pulumi/plugin-folders.ts";
import { CHECKOUT } from "./checkout.ts";

/** The folder with Pulumi's own `pulumi-language-nodejs` and `pulumi-resource-command`; undefined: they cannot be had here. */
export const OFFICIAL_PIECES = process.env["COMFYUI_OFFICIAL_PIECES"];

/** The command line of a running command plugin, whichever it is. */
export const COMMAND_PLUGIN = /\/(pulumi-resource-command|pulumi\/command\/main\.ts) /;

/** Throws where they are not there: before what only they can show. */
export function needOfficialPieces(): void {
  if (OFFICIAL_PIECES === undefined) throw new Error("COMFYUI_OFFICIAL_PIECES is not set: the folder with Pulumi's own pulumi-language-nodejs and pulumi-resource-command, and pulumi-resource-docker for the tests with Docker");
  const lacking = ["pulumi-language-nodejs", "pulumi-resource-command"].map((name) => join(OFFICIAL_PIECES as string, name)).filter((file) => !existsSync(file));
  if (lacking.length > 0) throw new Error(`COMFYUI_OFFICIAL_PIECES: no ${lacking.join(", no ")}`);
}

export interface PiecesFolder {
  /** Where it is written. */
  readonly folder: string;
  /** Where it will be seen; default: the same. */
  readonly at?: string;
}

/** A file that is put in place. */
type Put = (file: string) => void;

/** Answers the environment in which this Pulumi is used. `own`: the folder with Pulumi's own pieces. */
export function ownPieces(own: string, where: PiecesFolder): Record<string, string> {
  return makePulumi(where, (name) => (file) => copyFileSync(join(own, name), file));
}

/** With the stand-ins of the checkout that is seen at `root`. */
export function standInPieces(root: string, where: PiecesFolder): Record<string, string> {
  const entry: Readonly<Record<string, string>> = { "pulumi-language-nodejs": "language-host", "pulumi-resource-command": "command" };
  const script = (name: string) => ["#!/bin/sh", STAND_IN, `exec node '${root}/infra/pulumi/${entry[name]}/main.ts' "$@"`, ""].join("\n");
  return makePulumi(where, (name) => (file) => writeFileSync(file, script(name), { mode: 0o755 }));
}

function makePulumi({ folder, at = folder }: PiecesFolder, piece: (name: string) => Put): Record<string, string> {
  const { version } = JSON.parse(readFileSync(join(CHECKOUT, "node_modules/@pulumi/command/package.json"), "utf8")) as { version: string };
  const pulumi = fileOnPath("pulumi", process.env);
  if (pulumi === undefined) throw new Error("no pulumi on PATH: run 'bash infra/setup.sh --tests' first");
  const [engine, plugin] = [join(folder, "engine"), join(folder, `home/plugins/resource-command-v${version}`)];
  for (const each of [engine, plugin]) mkdirSync(each, { recursive: true });
  // A file of its own: the engine looks beside what it is started from, links resolved.
  copyFileSync(realpathSync(pulumi), join(engine, "pulumi"), constants.COPYFILE_FICLONE);
  piece("pulumi-language-nodejs")(join(engine, "pulumi-language-nodejs"));
  piece("pulumi-resource-command")(join(plugin, "pulumi-resource-command"));
  return {
    PATH: `${join(at, "engine")}:${process.env["PATH"]}`,
    PULUMI_HOME: join(at, "home"),
    PULUMI_IGNORE_AMBIENT_PLUGINS: "true",
    // Programs of the tests have packages beside them whose plugins they do not use.
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
}
