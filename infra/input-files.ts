import { hash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, type Stats } from "node:fs";
import { join } from "node:path";
import { type Fault, throwFaults } from "./faults.ts";
import { inputPaths, type LayerGraph } from "./layer-graph.ts";

/**
 * Content of an input file as one word: the SHA-256 of its bytes in hex, with `+x` behind it when its owner may execute it.
 * These are the two things of a file that Nix puts into a store path (NAR format, Nix manual, "Nix Archive").
 */
export type FileDigest = string;

/** Each layer's input files with their digests, by path relative to layers/, sorted. */
export type LayerInputs = ReadonlyMap<string, Readonly<Record<string, FileDigest>>>;

/** Reads every input file of every layer once; throws one FaultError with all inputs that cannot be used. */
export function readLayerInputs(graph: LayerGraph, flavor: string, layersDir: string): LayerInputs {
  const faults: Fault[] = [];
  const found = new Map<string, readonly string[]>();
  const digests = new Map<string, FileDigest>();
  const filesOf = (path: string, layer: string): readonly string[] => {
    const known = found.get(path);
    if (known !== undefined) return known;
    const files = listInput(layersDir, path, (fault) => faults.push({ ...fault, where: `layers.json: ${layer}` }));
    found.set(path, files);
    return files;
  };
  const digestOf = (file: string): FileDigest => {
    const known = digests.get(file) ?? fileDigest(layersDir, file, faults);
    digests.set(file, known);
    return known;
  };
  const result = new Map(
    graph.layers.map((layer) => {
      const files = [...new Set(inputPaths(graph, layer, flavor).flatMap((path) => filesOf(path, layer.attr)))].sort();
      return [layer.attr, Object.fromEntries(files.map((file) => [file, digestOf(file)]))];
    }),
  );
  throwFaults(faults);
  return result;
}

type Report = (fault: Omit<Fault, "where">) => void;

/** All files of one input; what Nix and this program could read differently (links, sockets) is a fault. */
function listInput(layersDir: string, path: string, report: Report): string[] {
  const folder = path.endsWith("/");
  const name = folder ? path.slice(0, -1) : path;
  const stats = statOf(join(layersDir, name), name, report);
  if (stats === undefined) return [];
  if (stats.isDirectory() !== folder && !stats.isSymbolicLink()) {
    report({ code: "GRAPH_INPUT_KIND", problem: `the input ${path} is ${folder ? "no folder" : "a folder"}`, found: path, expected: folder ? name : `${name}/` });
    return [];
  }
  const files = listTree(layersDir, name, stats, report);
  if (folder && files.length === 0) report({ code: "GRAPH_INPUT_EMPTY", problem: `the input folder ${path} holds no file`, found: path });
  return files;
}

function statOf(full: string, name: string, report: Report): Stats | undefined {
  const stats = lstatSync(full, { throwIfNoEntry: false });
  if (stats === undefined) report({ code: "GRAPH_INPUT_MISSING", problem: `the input ${name} does not exist`, found: "nothing", expected: `layers/${name}` });
  return stats;
}

function listTree(layersDir: string, name: string, stats: Stats, report: Report): string[] {
  if (!/^[A-Za-z0-9._+/-]+$/.test(name)) {
    report({ code: "GRAPH_INPUT_NAME", problem: "an input's name is not a plain path", found: JSON.stringify(name), expected: "letters, digits and . _ + -" });
    return [];
  }
  if (stats.isFile()) return [name];
  if (stats.isSymbolicLink()) {
    report({ code: "GRAPH_INPUT_SYMLINK", problem: `the input ${name} is a symbolic link`, found: name, expected: "a file" });
    return [];
  }
  if (!stats.isDirectory()) {
    report({ code: "GRAPH_INPUT_SPECIAL", problem: `the input ${name} is neither a file nor a folder`, found: name, expected: "a file" });
    return [];
  }
  return readdirSync(join(layersDir, name)).flatMap((child) => {
    const path = `${name}/${child}`;
    const childStats = statOf(join(layersDir, path), path, report);
    return childStats === undefined ? [] : listTree(layersDir, path, childStats, report);
  });
}

function fileDigest(layersDir: string, file: string, faults: Fault[]): FileDigest {
  const full = join(layersDir, file);
  try {
    const executable = (lstatSync(full).mode & 0o100) !== 0;
    return `${hash("sha256", readFileSync(full), "hex")}${executable ? "+x" : ""}`;
  } catch (error) {
    faults.push({ code: "GRAPH_INPUT_UNREADABLE", where: `layers/${file}`, problem: (error as Error).message });
    return "";
  }
}
