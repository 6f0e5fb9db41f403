/** Data of a report as a large stack has it after months, made up; `evil`: put into every text that comes from outside. */
import { type MeasuredRun, measured, type Run } from "../../infra/ops/builds/runs.ts";
import { lastRebuild, type ReportData, type ReportLayer } from "../../infra/ops/report/data.ts";
import { Random } from "./random.ts";

const GB = 1e9;
const LAYERS: readonly (readonly [name: string, size: number, seconds: number, packages: number])[] = [
  ["layer0-base", 0.62 * GB, 840, 24],
  ["layer1-python", 0.31 * GB, 310, 58],
  ["layer2-wheels", 0, 190, 0],
  ["layer3-pytorch", 2.9 * GB, 1260, 22],
  ["layer4-deps", 0.48 * GB, 420, 96],
  ["layer5-perf", 0.36 * GB, 2900, 7],
  ["layer6-app", 0.05 * GB, 45, 3],
];

export function reportData(evil = ""): ReportData {
  const random = new Random("report");
  const layers = LAYERS.map(([name, size, seconds, packages]) => layer(random, `${name}${evil}`, { size, seconds, packages, evil }));
  const images = runsOf(random, `image${evil}`, 60, (common) => ({ ...common, outcome: "done", status: `published${evil}`, digest: `sha256:${"ab".repeat(32)}${evil}`, size: bytesOf(random, 3.9 * GB), sentBytes: 1e6 }));
  return {
    stack: `team${evil}`,
    at: new Date("2026-11-24T12:00:00Z"),
    settings: { flavor: `cu130${evil}`, system: `x86_64-linux${evil}`, compression: "zstd" },
    image: { reference: `docker://registry.example/comfyui:0123456789ab${evil}`, tag: `0123456789ab${evil}`, digest: `sha256:${"ab".repeat(32)}${evil}`, size: 4.7 * GB, status: "published", sentBytes: 1, skippedBytes: 2, seconds: 60 },
    layers,
    images,
    cache: {
      problem: `its host is off${evil}`,
      facts: [["Place", `s3://bucket/team${evil}`], ["Keys", `team-1:${"A".repeat(43)}=${evil}`], ["Hit rate of the last builds", "62 % (33 of 53 came from a cache)"]],
      parts: LAYERS.map(([part, size], at) => ({ stack: `team${evil}`, part: `${part}${evil}`, paths: 400, size, trouble: at === 3 ? `2 missing${evil}` : "" })),
    },
  };
}

interface Size {
  readonly size: number;
  readonly seconds: number;
  readonly packages: number;
  readonly evil: string;
}

function layer(random: Random, name: string, { size, seconds, packages, evil }: Size): ReportLayer {
  const hash = "a".repeat(32);
  const runs = runsOf(random, name, seconds, (common, at) => {
    if (at % 9 === 7) return { ...common, outcome: "failed", code: `LAYER_BUILD_FAILED${evil}` };
    const [built, substituted] = at % 4 === 0 ? [0, 0] : at % 3 === 0 ? [0, 7] : [5, 2];
    return { ...common, outcome: "done", built, substituted, closureSize: 5 * GB, sizes: size === 0 ? [] : [bytesOf(random, size)] };
  }, evil);
  return {
    name,
    answer: {
      layer: name, fingerprint: "0123456789ab", storePath: `/nix/store/${hash}-${name}`, seconds, built: 5, substituted: 2, reused: false, cached: name !== "layer5-perf",
      startedAt: "2026-11-24T10:00:00Z", endedAt: "2026-11-24T10:20:00Z", log: "/logs/a.log",
      blobs: size === 0 ? [] : [{ mediaType: "application/vnd.oci.image.layer.v1.tar+zstd", digest: `sha256:${"0".repeat(64)}`, diffId: "", size, tarSize: 3 * size }],
    },
    packages: Array.from({ length: packages }, (_, at) => ({ name: `package-${at}-of-some-length${evil}`, version: `1.${at}.0${evil}` })),
    runs,
    rebuilt: lastRebuild(runs),
    store: { paths: 412, bytes: 3 * size + 1e6, largest: Array.from({ length: 10 }, (_, at) => ({ path: `/nix/store/${hash}-python3.14-nvidia-cudnn-cu13-${at}${evil}`, size: (size + 1e6) / (at + 2) })) },
  };
}

type Common = Omit<Extract<Run, { outcome: "cut-off" }>, "outcome">;

function runsOf(random: Random, name: string, seconds: number, run: (common: Common, at: number) => Run, evil = ""): readonly MeasuredRun[] {
  return measured(Array.from({ length: 40 }, (_, at) => {
    const day = new Date(Date.UTC(2026, 8, 10 + 2 * at, 9, at)).toISOString().replace(".000", "");
    const changes = at === 0 ? null : [{ path: ["inputs", `locks/cu130/${name}.lock.json${evil}`], old: "a", new: "b" }, { path: ["on", "layer1-python"], old: "a", new: "b" }];
    return run({ name, key: `0123456789a${(at % 16).toString(16)}${evil}`, log: `/logs/${at}.log`, startedAt: day, endedAt: day, seconds: seconds * (0.6 + random.below(80) / 100), changes }, at);
  }));
}

function bytesOf(random: Random, size: number): number {
  return Math.round(size * (0.9 + random.below(20) / 100));
}
