/** Which derivations Nix makes of a copy of layers/: evaluated only, nothing is built. */
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CHECKOUT, projectFiles } from "./checkout.ts";
import type { Sandbox } from "./sandbox.ts";

/** drvPaths of a layer's contents, checks and blob, joined; undefined where the evaluation fails. `comfyui` is the whole image. */
export type Derivations = ReadonlyMap<string, string | undefined>;

export const IMAGE = "comfyui";

const DRV_PATHS = `layer: builtins.concatStringsSep " " (builtins.concatMap (part: if part == null then [ ] else [ part.drvPath ]) [ layer (layer.checks or null) (layer.blob or null) ])`;
const OPTIONS = ["--json", "--no-eval-cache", "--no-write-lock-file", "--no-update-lock-file"];

/** A private copy of layers/ in a sandbox, to be edited. */
export class LayersCopy {
  /** As seen outside. */
  readonly folder: string;
  readonly #sandbox: Sandbox;
  readonly #inside: string;

  private constructor(sandbox: Sandbox, name: string) {
    this.#sandbox = sandbox;
    this.#inside = `${sandbox.at}/tmp/${name}/layers`;
    this.folder = sandbox.host(this.#inside);
  }

  static async create(sandbox: Sandbox, name: string): Promise<LayersCopy> {
    const copy = new LayersCopy(sandbox, name);
    for (const file of (await projectFiles(CHECKOUT)).filter((each) => each.startsWith("layers/"))) {
      const target = join(copy.folder, "..", file);
      await mkdir(join(target, ".."), { recursive: true });
      await cp(join(CHECKOUT, file), target);
    }
    return copy;
  }

  /** All layers in one run of Nix. Where that fails, each by itself, so that one layer's error does not hide the others. */
  async derivations(layers: readonly string[]): Promise<Derivations> {
    const set = `path:${this.#inside}#legacyPackages.x86_64-linux.sample.zstd`;
    const together = await this.#sandbox.run("nix", ["eval", ...OPTIONS, set, "--apply", `builtins.mapAttrs (_: ${DRV_PATHS})`], { allowFailure: true });
    if (together.code === 0) {
      const found = JSON.parse(together.stdout) as Record<string, string>;
      return new Map(layers.map((attr) => [attr, found[attr]]));
    }
    const script = 'set=$1; shift; for attr; do nix eval "${options[@]}" "$set.$attr" --apply "$apply" 2>/dev/null || echo null; done';
    const each = `options=(${OPTIONS.join(" ")}); apply='${DRV_PATHS}'; ${script}`;
    const { stdout } = await this.#sandbox.run("bash", ["-euo", "pipefail", "-c", each, "bash", set, ...layers]);
    const lines = stdout.trim().split("\n").map((line) => JSON.parse(line) as string | null);
    return new Map(layers.map((attr, at) => [attr, lines[at] ?? undefined]));
  }

  /** What Nix says against a layer. */
  async errorOf(attr: string): Promise<string> {
    const flake = `path:${this.#inside}#legacyPackages.x86_64-linux.sample.zstd.${attr}.drvPath`;
    const { code, stderr } = await this.#sandbox.run("nix", ["eval", ...OPTIONS, flake], { allowFailure: true });
    if (code === 0) throw new Error(`${attr} can be evaluated`);
    return stderr;
  }
}
