/** The command that runs the image on this machine, whatever it has for that. */
import { spawnSync } from "node:child_process";

export type Engine = "docker" | "podman" | "none";

/** What answers here: a Docker daemon, else podman. A client without its daemon is of no use. */
export function findEngine(works: (command: readonly [string, ...string[]]) => boolean = commandWorks): Engine {
  if (works(["docker", "info"])) return "docker";
  return works(["podman", "info"]) ? "podman" : "none";
}

function commandWorks([command, ...args]: readonly [string, ...string[]]): boolean {
  // A DOCKER_HOST that nobody answers would wait for minutes.
  return spawnSync(command, args, { stdio: "ignore", timeout: 10_000 }).status === 0;
}

export interface RunFacts {
  readonly engine: Engine;
  /** As skopeo writes it: oci:FOLDER:TAG or docker://NAME:TAG. */
  readonly reference: string;
  /** The top layer's contents, from which the program runs without any container. */
  readonly storePath: string;
}

// Read-only, since the image needs nothing but its volume and /tmp.
const container = "--rm --read-only --tmpfs /tmp --volume comfyui-data:/data --publish 127.0.0.1:8188:8188";

/** To be typed in the project's folder. */
export function runCommand({ engine, reference, storePath }: RunFacts): string {
  switch (engine) {
    case "docker":
      // Through `load`, not from the registry: Docker before version 23 cannot read the image's zstd layers.
      return `. .local/env.sh && docker run ${container} "$(nix run path:./layers#load)"`;
    case "podman":
      return `podman run ${container} ${shellWord(reference)}`;
    case "none":
      return `PATH=${storePath}/bin:$PATH comfyui --base-directory .local/data`;
  }
}

export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
