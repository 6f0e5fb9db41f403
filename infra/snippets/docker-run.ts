/** `docker run` and `podman run`. */
import { container, type Runnable } from "./runnable.ts";

export interface RunOptions {
  readonly engine: "docker" | "podman";
  readonly gpu: boolean;
  /** The source of the volume, as `--volume` has it: a name or a path, in the form that the shell reads. */
  readonly data: string;
}

const gpus = { docker: "--gpus all", podman: "--device nvidia.com/gpu=all" } as const;

/** Options in the order in which people read them; each is one word or a word with its value. */
export function engineOptions({ engine, gpu, data }: RunOptions): string[] {
  const { health, port, volume } = container;
  return [
    ...(gpu ? [gpus[engine]] : []),
    // Only programs of this machine reach it.
    `--publish 127.0.0.1:${port}:${port}`,
    `--volume ${data}:${volume}`,
    // Docker's own default forbids programs there, such as kernels that torch compiles.
    "--read-only --tmpfs /tmp:exec",
    "--cap-drop ALL --security-opt no-new-privileges",
    // Podman reads no health check from an image.
    `--health-cmd ${health.command} --health-start-period ${health.startSeconds}s`,
  ];
}

/** Comments and one command, for a shell. The files belong to the user who runs it. */
export function dockerRun({ image, tag, folder, gpu }: Runnable): string {
  // In the project's folder, where git ignores it.
  const data = folder ? ".local/comfyui-data" : "comfyui-data";
  const options = [
    "--detach --name comfyui --restart unless-stopped",
    '--user "$(id -u):$(id -g)"',
    ...engineOptions({ engine: "docker", gpu, data: `"$PWD/${data}"` }),
  ];
  return [
    `# Image ${tag}. Open http://127.0.0.1:${container.port}; models, nodes and results are in ./${data}.`,
    "# In rootless Docker you are uid 0 inside: --user 0:0.",
    ...(folder ? ["# The image comes out of this project's folder: run it there, after `. .local/env.sh`."] : []),
    `mkdir -p ${data}`,
    ["docker run", ...options, folder ? `"$(${folder.load})"` : image].join(" \\\n  "),
    "",
  ].join("\n");
}
