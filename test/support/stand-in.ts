/**
 * Flavor cu130 without nixpkgs: a copy of layers/ whose input nixpkgs is the stand-in of test/fixtures/nixpkgs. Evaluated only.
 */
import { readFileSync } from "node:fs";
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CHECKOUT } from "./checkout.ts";
import { LayersCopy } from "./derivations.ts";
import type { Result } from "./process.ts";
import { Sandbox } from "./sandbox.ts";

const FIXTURE = join(CHECKOUT, "test/fixtures/nixpkgs");

/** Names of nixpkgs, by the set they are in: where each was seen to exist. */
export interface Attributes {
  readonly attributes: Readonly<Record<string, string>>;
  readonly cudaPackages: Readonly<Record<string, string>>;
  readonly python314Packages: Readonly<Record<string, string>>;
}

/** The stand-in's attributes, as one list of names like those of the traces: `bash`, `python314Packages.numpy`. */
export function knownAttributes(): Map<string, string> {
  const { attributes, cudaPackages, python314Packages } = JSON.parse(readFileSync(join(FIXTURE, "attributes.json"), "utf8")) as Attributes;
  const inside = (prefix: string, names: Readonly<Record<string, string>>) => Object.entries(names).map(([name, seen]) => [`${prefix}${name}`, seen] as const);
  return new Map([...inside("", attributes), ...inside("cudaPackages_13_0.", cudaPackages), ...inside("python314Packages.", python314Packages)]);
}

export interface Evaluated<T> {
  readonly value: T;
  /** The attributes of nixpkgs that were looked at. */
  readonly used: ReadonlySet<string>;
}

export class StandIn {
  readonly sandbox: Sandbox;
  readonly copy: LayersCopy;
  readonly #layers: string;
  readonly #nixpkgs: string;

  private constructor(sandbox: Sandbox, copy: LayersCopy, name: string) {
    this.sandbox = sandbox;
    this.copy = copy;
    this.#layers = `${sandbox.at}/tmp/${name}/layers`;
    this.#nixpkgs = `${sandbox.at}/tmp/${name}/nixpkgs`;
  }

  static async create(sandbox: Sandbox, name: string): Promise<StandIn> {
    const standIn = new StandIn(sandbox, await LayersCopy.create(sandbox, name), name);
    const target = sandbox.host(standIn.#nixpkgs);
    await mkdir(join(target, "layers/package-sets"), { recursive: true });
    await cp(FIXTURE, target, { recursive: true });
    for (const folder of ["lib", "package-sets/debian"]) await cp(join(standIn.copy.folder, folder), join(target, "layers", folder), { recursive: true });
    return standIn;
  }

  /** Evaluates all layers of cu130 on one system; `apply`: a Nix function of the set of them. */
  async evaluate<T>(system: string, apply: string): Promise<Evaluated<T>> {
    const { code, stdout, stderr } = await this.tryEvaluate(system, apply);
    if (code !== 0) throw new Error(stderr);
    return { value: JSON.parse(stdout) as T, used: new Set([...stderr.matchAll(/^trace: used: (\S+)$/gm)].map(([, name]) => name as string)) };
  }

  async tryEvaluate(system: string, apply: string): Promise<Result> {
    const flake = `path:${this.#layers}#legacyPackages.${system}.cu130.zstd`;
    const options = ["--json", "--no-eval-cache", "--no-write-lock-file", "--override-input", "nixpkgs", `path:${this.#nixpkgs}`];
    return this.sandbox.run("nix", ["eval", ...options, flake, "--apply", apply], { allowFailure: true });
  }

  /** Names (without hashes) of all derivations that building this one takes. */
  async reached(drvPath: string): Promise<ReadonlySet<string>> {
    const { stdout } = await this.sandbox.run("nix-store", ["--query", "--requisites", drvPath]);
    return new Set(stdout.trim().split("\n").filter((path) => path.endsWith(".drv")).map(nameOf));
  }

  /** Names of the derivations that are direct inputs of this one. */
  async inputs(drvPath: string): Promise<ReadonlySet<string>> {
    const { stdout } = await this.sandbox.run("nix-store", ["--query", "--references", drvPath]);
    return new Set(stdout.trim().split("\n").filter((path) => path.endsWith(".drv")).map(nameOf));
  }
}

/** /nix/store/HASH-NAME.drv */
function nameOf(path: string): string {
  return (path.split("/").at(-1) as string).slice(33, -".drv".length);
}
