/** Making a blob: lib/pack_blob by itself, on a closure that lies in the page cache, against tar and zstd; and what seven layers cost in bytes. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { outputs } from "../support/outputs.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";
import { type Comparison, inTurn, type Part } from "./comparison.ts";

/** As a layer's derivation calls it, outside of Nix. */
export class Packing {
  readonly command = "python3 -B -I -S layers/lib/pack_blob";
  readonly #sandbox: Sandbox;
  readonly #folder: string;
  readonly #python: string;

  private constructor(sandbox: Sandbox, folder: string, python: string) {
    this.#sandbox = sandbox;
    this.#folder = folder;
    this.#python = python;
  }

  static async of(sandbox: Sandbox, paths: readonly string[]): Promise<Packing> {
    const { layers } = await outputs(sandbox);
    const folder = join(sandbox.at, "packing");
    await sandbox.bash(`mkdir -p ${folder}`);
    const attributes = { attr: "bench", blobLimit: null, compression: "zstd", outputs: { out: join(folder, "out") }, own: paths.map((path) => ({ path })) };
    writeFileSync(sandbox.host(join(folder, "attributes.json")), JSON.stringify(attributes));
    return new Packing(sandbox, folder, `${layers["layer1-python"]?.storePath}/bin/python3`);
  }

  /** Seconds. */
  async pack(): Promise<number> {
    await this.#sandbox.bash(`rm -rf ${this.#folder}/out`);
    const { seconds } = await this.#sandbox.run(this.#python, ["-B", "-I", "-S", "layers/lib/pack_blob"], { env: { NIX_ATTRS_JSON_FILE: join(this.#folder, "attributes.json") } });
    return seconds;
  }

  get blob(): { readonly size: number; readonly tarSize: number } {
    const { blobs } = JSON.parse(readFileSync(this.#sandbox.host(join(this.#folder, "out/blob.json")), "utf8")) as { blobs: [{ size: number; tarSize: number }] };
    return blobs[0];
  }
}

const TAR = "tar --sort=name --mtime=@1 --owner=0 --group=0 --numeric-owner --hard-dereference --directory=/ -cf - PATHS";
const PLAIN = `${TAR} | zstd -3 -T0 -q >blob`;
/** With the two digests that an image names a layer by. */
const HASHED = `${TAR} | tee >(sha256sum >diff-id) | zstd -3 -T0 -q | tee >(sha256sum >digest) >blob`;

async function against(line: string, sandbox: Sandbox, packing: Packing, paths: readonly string[], runs: number): Promise<Comparison> {
  const script = join(sandbox.at, "tar.sh");
  writeFileSync(sandbox.host(script), line.replace("PATHS", paths.map((path) => path.slice(1)).join(" ")));
  await packing.pack();
  const megabytes = packing.blob.tarSize / 1e6;
  const figures = await inTurn(
    runs,
    async () => megabytes / (await packing.pack()),
    async () => megabytes / (await sandbox.run("bash", [script], { cwd: sandbox.at })).seconds,
  );
  const sizes = `Sizes: ${packing.blob.size} and ${statSync(sandbox.host(join(sandbox.at, "blob"))).size} bytes.`;
  return { what: `making a blob of ${Math.round(megabytes)} MB`, unit: "MB/s", ours: { command: packing.command, figures: figures.ours }, theirs: { command: line, figures: figures.theirs }, note: sizes };
}

export const blob: Part = {
  name: "blob",
  async measure({ runs, say }) {
    say("making blobs");
    await using sandbox = await warmSandbox();
    const { layers, image } = await outputs(sandbox);
    const contents = Object.values(layers).filter(({ blobs }) => blobs.length > 0).map(({ storePath }) => storePath);
    const { stdout } = await sandbox.bash(`nix path-info --recursive ${contents.join(" ")}`);
    const paths = stdout.trim().split("\n").sort();
    const packing = await Packing.of(sandbox, paths);
    const plain = await against(PLAIN, sandbox, packing, paths, runs);
    const hashed = await against(HASHED, sandbox, packing, paths, runs);
    const size: Comparison = {
      what: "the image's size",
      unit: "B",
      ours: { command: "the image's blobs, config and manifest", figures: [image.size] },
      theirs: { command: `${packing.command}, of all layers' contents as one`, figures: [packing.blob.size] },
      goal: { atMost: 1.01 },
    };
    return { comparisons: [{ ...plain, goal: { atLeast: 0.9 }, note: `Ours also hashes tar and blob. ${plain.note}` }, { ...hashed, what: `${hashed.what}, with its two digests` }, size] };
  },
};
