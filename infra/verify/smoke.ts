/** The smoke tests of a whole image, as the arguments of one container. */
import { imageLayers } from "../fingerprint.ts";
import { type LayerGraph, needsGpu, smokeOf } from "../layer-graph.ts";

export interface SmokeArgs {
  readonly graph: LayerGraph;
  readonly flavor: string;
  /** The container has the machine's GPUs. */
  readonly gpu: boolean;
}

/** What the image's entry point runs: each layer's smoke test, and with a GPU what shows that it can be computed on. */
export function smokeCommand({ graph, flavor, gpu }: SmokeArgs): string[] {
  const ofLayers = imageLayers(graph).flatMap((layer) => {
    const words = smokeOf(layer, flavor);
    return words.length === 0 ? [] : [part(layer.attr, words.map(quoted).join(" "))];
  });
  const ofGpu = gpu ? [part("nvidia-smi", NVIDIA_SMI), ...(needsGpu(graph, flavor) ? [part("torch on the GPU", `python -c ${quoted(TORCH)}`)] : [])] : [];
  return ["bash", "-euc", [...ofGpu, ...ofLayers].join("\n")];
}

/**
 * NVIDIA's Container Toolkit puts the host's program there, which asks for the loader at /lib64, where this image has none:
 * bash's own loader runs it, and finds NVIDIA's libraries by LD_LIBRARY_PATH.
 */
const NVIDIA_SMI = `loader=; while read -r _ _ _ _ _ file; do case $file in */ld-linux*) loader=$file ;; esac; done </proc/$$/maps; "$loader" /usr/bin/nvidia-smi`;

const TORCH = `import torch; assert torch.cuda.is_available(), "torch.cuda.is_available() is False"; x = torch.eye(64, device="cuda"); print(torch.cuda.get_device_name(), (x @ x).sum().item())`;

function part(name: string, line: string): string {
  return `echo ${quoted(`smoke test: ${name}`)}\n${line}`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
