/** A layer of gigabytes: how build, blob and publish grow, and how much memory our scripts take. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { blobsSize, type LayerOutput } from "../../infra/answers.ts";
import { Docker } from "../support/docker.ts";
import { readRawGraph } from "../support/layer-edits.ts";
import { outputs } from "../support/outputs.ts";
import { up } from "../support/pulumi.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { downloads } from "../support/test-cache.ts";
import { type Bench, type Growth, linear, type Part } from "./comparison.ts";
import { publishTime, withStack } from "./publish.ts";

const ATTR = "layer7-large";

/** What a layer's one folder is made by: a line of shell with Python, and what it reads. */
interface Content {
  readonly script: string;
  /** A Nix list. */
  readonly reads: string;
}

/** Files of 10 MB that no compression makes smaller; the same for the same number of them. */
const random = (count: number): Content => ({
  script: `python3 -c 'import random; [open(str(at), "wb").write(random.Random(at).randbytes(10**7)) for at in range(${count})]'`,
  reads: "[ ]",
});

/** PyTorch's wheel and those of the CUDA libraries that it comes with, where a set-up of the flavor `pypi` has downloaded them. */
function torchWheels(): string[] {
  const names = existsSync(downloads()) ? readdirSync(downloads()) : [];
  return names.some((name) => /^torch-.*\.whl$/.test(name)) ? names.filter((name) => /^(torch|triton|nvidia_\w+)-.*\.whl$/.test(name)) : [];
}

/** The wheels, unpacked; puts them into the sandbox's store. */
async function unpacked(sandbox: Sandbox, wheels: readonly string[]): Promise<Content> {
  const files = wheels.map((file) => join(downloads(), file));
  await sandbox.run("nix-store", ["--add-fixed", "sha256", ...files], { timeout: 30 * 60_000 });
  const { stdout } = await sandbox.run("nix", ["hash", "file", ...files], { timeout: 30 * 60_000 });
  const hashes = stdout.trim().split("\n");
  const reads = wheels.map((file, at) => `(files.fetch { given = ""; file = "${file}"; hash = "${hashes[at]}"; })`);
  return { script: "for wheel in $wheels; do python3 -m zipfile -e $wheel .; done", reads: `[ ${reads.join(" ")} ]` };
}

/** A layer of a user's own. */
function addLayer(sandbox: Sandbox, { script, reads }: Content): void {
  const layers = sandbox.host("layers");
  mkdirSync(join(layers, ATTR), { recursive: true });
  writeFileSync(join(layers, ATTR, "default.nix"), `{ pkgs, files, ... }: {
  files."share/large" = pkgs.runCommand "large" { nativeBuildInputs = [ pkgs.python314 ]; wheels = ${reads}; } ''
    mkdir $out && cd $out
    ${script}
  '';
}
`);
  const graph = readRawGraph(layers);
  const large = { attr: ATTR, inputs: [`${ATTR}/`], on: ["layer0-base"], after: [], blob: true, smoke: [] };
  const others = graph.layers.filter(({ attr }) => attr !== ATTR);
  writeFileSync(join(layers, "layers.json"), JSON.stringify({ ...graph, layers: [...others, large] }));
}

/** The most memory that one process of each kind had, in MB, looked at ten times a second. Pages shared with others count in full. */
class Watch {
  readonly #most = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(sandbox: Sandbox, kinds: Readonly<Record<string, RegExp>>) {
    this.#timer = setInterval(() => {
      for (const { pid, command } of sandbox.processes()) {
        const kind = Object.keys(kinds).find((each) => (kinds[each] as RegExp).test(command));
        if (kind !== undefined) this.#most.set(kind, Math.max(this.most(kind), residentPeak(pid)));
      }
    }, 100);
  }

  most(kind: string): number {
    return this.#most.get(kind) ?? 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** VmHWM of /proc/PID/status (proc(5)), kept by the kernel: no peak is missed between two looks. 0 of a process that has ended. */
function residentPeak(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1000;
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return 0;
    throw error;
  }
}

const KINDS = { pack: /python3 .*pack_blob/, scripts: /^bash (hosts|.*infra\/hosts)\//, skopeo: /^skopeo /, nix: /^nix / };

interface Measured {
  /** Of the content, before compression. */
  readonly megabytes: number;
  readonly what: string;
  readonly build: number;
  readonly publish: number;
  readonly memory: Readonly<Record<keyof typeof KINDS, number>>;
}

async function oneSize(sandbox: Sandbox, what: string, content: Content): Promise<Measured> {
  addLayer(sandbox, content);
  const watch = new Watch(sandbox, KINDS);
  await up(sandbox, { timeout: 60 * 60_000 });
  watch.stop();
  const { layers, image } = await outputs(sandbox);
  const layer = layers[ATTR] as LayerOutput;
  const of = (kind: keyof typeof KINDS) => Math.round(watch.most(kind));
  return {
    megabytes: Math.round(layer.blobs.reduce((sum, { tarSize }) => sum + tarSize, 0) / 1e6), what: `${what}, ${Math.round(blobsSize(layer) / 1e6)} MB in the blob`,
    build: layer.seconds, publish: image.seconds, memory: { pack: of("pack"), scripts: of("scripts"), skopeo: of("skopeo"), nix: of("nix") },
  };
}

export const large: Part = {
  name: "large",
  async measure({ quick, say }: Bench) {
    const measured: Measured[] = [];
    await withStack(async ({ sandbox }) => {
      for (const megabytes of quick ? [30, 300] : [30, 300, 3000]) {
        say(`a layer of ${megabytes} MB`);
        measured.push(await oneSize(sandbox, "random", random(megabytes / 10)));
      }
    });
    const wheels = quick ? [] : torchWheels();
    if (wheels.length > 0) {
      say("a layer of PyTorch's wheels");
      await withStack(async ({ sandbox }) => measured.push(await oneSize(sandbox, "PyTorch's wheels", await unpacked(sandbox, wheels))));
    }
    const megabytes = quick ? 300 : 1000;
    say(`publishing beside a layer of ${megabytes} MB, against Docker`);
    await using docker = await Docker.start();
    const against = await withStack(async ({ sandbox, registry }) => {
      addLayer(sandbox, random(megabytes / 10));
      await up(sandbox, { timeout: 60 * 60_000 });
      return await publishTime({ sandbox, registry, docker }, quick ? 1 : 3, `an image with a layer of ${megabytes} MB`);
    });
    return { growth: [growth(measured)], comparisons: [against] };
  },
};

function growth(measured: readonly Measured[]): Growth {
  const randoms = measured.filter(({ what }) => what.startsWith("random"));
  return {
    what: "bytes of a layer",
    head: ["MB", "of", "build, blob and push to the cache (s)", "publish (s)", "memory: making the blob (MB)", "our scripts", "skopeo", "Nix"],
    rows: measured.map(({ megabytes, what, build, publish, memory }) => [megabytes, what, build, publish, memory.pack, memory.scripts, memory.skopeo, memory.nix]),
    goal: "linear; memory of our scripts ≤ 200 MB",
    met: linear(randoms.map(({ megabytes, build, publish }) => [megabytes, build, publish])) && measured.every(({ memory }) => Math.max(memory.pack, memory.scripts) <= 200),
  };
}
