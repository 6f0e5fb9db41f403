/** A layer of gigabytes: how build, blob and publish grow, and how much memory our scripts take. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LayerOutput } from "../../infra/answers.ts";
import { Docker } from "../support/docker.ts";
import { readRawGraph } from "../support/layer-edits.ts";
import { outputs } from "../support/outputs.ts";
import { up } from "../support/pulumi.ts";
import { Registry } from "../support/registry.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { configure } from "../support/stack-config.ts";
import { warmSandbox } from "../support/warm.ts";
import type { Bench, Comparison, Growth, Part } from "./comparison.ts";
import { publishTime } from "./publish.ts";

const ATTR = "layer7-large";

/** A layer of a user's own, of so many files of 10 MB that no compression makes smaller; equal for equal `count`. */
function addLayer(sandbox: Sandbox, count: number): void {
  const layers = sandbox.host("layers");
  mkdirSync(join(layers, ATTR), { recursive: true });
  writeFileSync(join(layers, ATTR, "default.nix"), `{ pkgs, ... }: {
  files."share/large" = pkgs.runCommand "large" { nativeBuildInputs = [ pkgs.python314 ]; } ''
    mkdir $out
    python3 -c 'import random; [open(f"\${placeholder "out"}/{at}", "wb").write(random.Random(at).randbytes(10**7)) for at in range(${count})]'
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
  readonly row: readonly [number, ...number[]];
  readonly peak: number;
}

async function oneSize(sandbox: Sandbox, megabytes: number): Promise<Measured> {
  addLayer(sandbox, megabytes / 10);
  const watch = new Watch(sandbox, KINDS);
  await up(sandbox, { timeout: 60 * 60_000 });
  watch.stop();
  const { layers, image } = await outputs(sandbox);
  const { seconds } = layers[ATTR] as LayerOutput;
  const of = (kind: keyof typeof KINDS) => Math.round(watch.most(kind));
  return { row: [megabytes, seconds, image.seconds, of("pack"), of("scripts"), of("skopeo"), of("nix")], peak: Math.max(of("pack"), of("scripts")) };
}

export const large: Part = {
  name: "large",
  async measure({ quick, say }: Bench) {
    await using registry = await Registry.start();
    const sizes = quick ? [30, 300] : [30, 300, 3000];
    const measured: Measured[] = [];
    const comparisons: Comparison[] = [];
    {
      await using sandbox = await warmSandbox();
      configure(sandbox, { registry: { kind: "registry", repository: `${registry.address}/ours`, tls: false } });
      await up(sandbox);
      for (const megabytes of sizes) {
        say(`a layer of ${megabytes} MB`);
        measured.push(await oneSize(sandbox, megabytes));
      }
    }
    {
      const megabytes = quick ? 300 : 1000;
      say(`publishing beside a layer of ${megabytes} MB, against Docker`);
      await using docker = await Docker.start();
      await using sandbox = await warmSandbox();
      configure(sandbox, { registry: { kind: "registry", repository: `${registry.address}/large`, tls: false } });
      addLayer(sandbox, megabytes / 10);
      await up(sandbox, { timeout: 60 * 60_000 });
      comparisons.push(await publishTime({ sandbox, registry, docker }, quick ? 1 : 3, `an image with a layer of ${megabytes} MB`));
    }
    return { growth: [growth(measured)], comparisons };
  },
};

function growth(measured: readonly Measured[]): Growth {
  const rows = measured.map(({ row }) => row);
  const [first, last] = [rows[0] as readonly number[], rows.at(-1) as readonly number[]];
  const times = (last[0] as number) / (first[0] as number);
  const linear = [1, 2].every((column) => (last[column] as number) / (first[column] as number) <= times);
  return {
    what: "bytes of a layer that cannot be compressed",
    head: ["MB", "build, blob and push to the cache (s)", "publish (s)", "memory: making the blob (MB)", "our scripts", "skopeo", "Nix"],
    rows,
    goal: "linear; memory of our scripts ≤ 200 MB",
    met: linear && Math.max(...measured.map(({ peak }) => peak)) <= 200,
  };
}
