/** The command that runs the image on this machine, whatever it has for that. */
import { spawnSync } from "node:child_process";
import { engineOptions } from "../snippets/docker-run.ts";
import type { Runnable } from "../snippets/runnable.ts";

export type Engine = "docker" | "podman" | "none";

/** What answers here: a Docker daemon, else podman. A client without its daemon is of no use. */
export function findEngine(): Engine {
  // A DOCKER_HOST that nobody answers would wait for minutes.
  const works = (client: string) => spawnSync(client, ["info"], { stdio: "ignore", timeout: 10_000 }).status === 0;
  return (["docker", "podman"] as const).find(works) ?? "none";
}

export interface RunFacts {
  readonly engine: Engine;
  readonly image: Runnable;
  /** The top layer's contents, from which the program runs without any container. */
  readonly storePath: string;
}

/** To be typed in the project's folder. */
export function runCommand({ engine, image, storePath }: RunFacts): string {
  if (engine === "none") return `PATH=${storePath}/bin:$PATH comfyui --base-directory .local/data`;
  const options = engineOptions({ engine, gpu: image.gpu, data: "comfyui-data" });
  const run = [engine, "run", "--rm", ...options].join(" ");
  // Docker takes the image through `load`, not from the folder: it reads none, and before version 23 no zstd.
  return engine === "docker" && image.folder ? `. .local/env.sh && ${run} "$(${image.folder.load})"` : `${run} ${shellWord(image.folder?.reference ?? image.image)}`;
}

export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
