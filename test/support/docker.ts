/**
 * A real dockerd of its own: private socket, data and network bridge, in a private process and mount namespace, so that it
 * and its containers end with the test. A dockerd that the machine runs already is not touched (a second one with
 * `--bridge=none` would take docker0 away from it). Registries at 127.0.0.1 are reached by plain HTTP, dockerd's default.
 */
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { makeBridge } from "./bridge.ts";
import { assemble, type Cleanup } from "./cleanup.ts";
import { Namespace } from "./namespace.ts";
import { newerDocker } from "./newer-docker.ts";
import { CommandFailed, finish, type Result, run, type RunOptions, type Running, start } from "./process.ts";

/** `installed`: the machine's dockerd; `newer`: one of a later release, see newer-docker.ts. */
export type DockerKind = "installed" | "newer";

export class Docker {
  /** For `docker` in a sandbox or a script. */
  readonly env: Readonly<Record<string, string>>;
  readonly #daemon: Running;
  readonly #cleanup: Cleanup;

  private constructor(folder: string, daemon: Running, cleanup: Cleanup) {
    this.env = { DOCKER_HOST: `unix://${folder}/docker.sock`, DOCKER_CONFIG: join(folder, "config") };
    this.#daemon = daemon;
    this.#cleanup = cleanup;
  }

  static async start(kind: DockerKind = "installed"): Promise<Docker> {
    const before = kind === "newer" ? await newerDocker() : [];
    return assemble(async (cleanup) => {
      const folder = await mkdtemp(join(tmpdir(), "comfyui-docker-"));
      cleanup.add(() => run("rm", ["-rf", "--one-file-system", folder]));
      await mkdir(join(folder, "config"));
      const { name: bridge } = await makeBridge(cleanup);
      const namespace = await Namespace.create([]);
      cleanup.add(() => namespace.stop());
      const [program, args] = namespace.enter("dockerd", daemonArguments(folder, bridge), folder);
      const PATH = [...before, process.env.PATH, "/usr/sbin", "/sbin"].join(":");
      const daemon = start(program, args, { env: { ...environment(), PATH }, wrapper: true });
      cleanup.add(() => daemon.stop(20_000));
      const docker = new Docker(folder, daemon, cleanup);
      await docker.#ready();
      return docker;
    });
  }

  async #ready(): Promise<void> {
    const end = performance.now() + 60_000;
    for (;;) {
      const answer = await this.run(["version", "--format", "{{.Server.Version}}"], { allowFailure: true });
      if (answer.code === 0) return;
      if (this.#daemon.ended) throw new CommandFailed("dockerd", await this.#daemon.done);
      if (performance.now() > end) throw new Error(`dockerd does not answer:\n${this.log().slice(-4000)}`);
      await sleep(100);
    }
  }

  /** Runs the `docker` client against this daemon. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    const env = { ...environment(), ...this.env, ...options.env };
    return finish(start("docker", args, { ...options, env }), options);
  }

  async version(): Promise<string> {
    return (await this.run(["version", "--format", "{{.Server.Version}}"])).stdout.trim();
  }

  /** What the daemon said so far. */
  log(): string {
    return this.#daemon.output().stderr;
  }

  /** Ends the daemon with its containers and removes everything of it. */
  async stop(): Promise<void> {
    await this.#cleanup.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function daemonArguments(folder: string, bridge: string): string[] {
  return [
    `--host=unix://${folder}/docker.sock`,
    `--data-root=${folder}/data`,
    `--exec-root=${folder}/exec`,
    `--pidfile=${folder}/docker.pid`,
    `--bridge=${bridge}`,
    "--iptables=false",
    "--ip6tables=false",
    "--ip-masq=false",
  ];
}

/** This process's environment without what points a Docker client elsewhere. */
function environment(): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("DOCKER_"));
  return Object.fromEntries(own) as Record<string, string>;
}
