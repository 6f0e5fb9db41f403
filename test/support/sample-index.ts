/** A package index on loopback that offers exactly the files that the flavor `sample` locks, from a sandbox's own store. */
import { globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PackageIndex } from "./package-index.ts";
import { run } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";

/** Prints the metadata of wheels, a JSON text a line. */
const METADATA = `
import json, sys, zipfile
for path in sys.argv[1:]:
    archive = zipfile.ZipFile(path)
    name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    print(json.dumps(archive.read(name).decode()))`;

interface Entry {
  readonly name: string;
  readonly file: string;
}

export async function sampleIndex(sandbox: Sandbox): Promise<PackageIndex> {
  const locks = globSync(sandbox.host("layers/locks/sample/*.lock.json"));
  const entries = locks.flatMap((path) => (JSON.parse(readFileSync(path, "utf8")) as { files: Entry[] }).files);
  const store = sandbox.nix("/nix/store");
  const names = readdirSync(store);
  const pathOf = ({ file }: Entry) => join(store, names.find((name) => name.slice(33) === file) as string);
  const wheels = entries.filter(({ file }) => file.endsWith(".whl"));
  const { stdout } = await run("python3", ["-c", METADATA, ...wheels.map(pathOf)]);
  const metadata = new Map(stdout.trim().split("\n").map((line, at) => [(wheels[at] as Entry).file, JSON.parse(line) as string]));
  const index = await PackageIndex.create();
  for (const entry of entries) index.file(entry.name, entry.file, readFileSync(pathOf(entry)), metadata.get(entry.file));
  return index;
}
