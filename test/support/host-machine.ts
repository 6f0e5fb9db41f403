/**
 * A real Debian 13 host for the tests: a container with its own sshd, disk and address. It may make namespaces, as Nix's
 * sandbox does, but is not privileged. systemd is installed and does not run (a container of Docker gives it no control
 * groups): `startUnits` runs what the enabled units say.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { assemble, type Cleanup } from "./cleanup.ts";
import { type HostNetwork, type KeyPair, makeKeyPair, NETWORK_NAME } from "./host-network.ts";
import { finish, type Result, run, type RunOptions, type Running, start, type StartOptions } from "./process.ts";
import { startUnits, stopUnits } from "./units.ts";

export interface MachineOptions {
  /** Its host name; a host of the same name has the same address and host key. */
  readonly name: string;
  /** What it starts from: an image made by `snapshot`; default: the bare Debian. */
  readonly image?: string;
  /** A host key other than that of the last host of this name. */
  readonly newHostKey?: boolean;
  /** Size in MiB of an empty disk, seen at `disk`. */
  readonly diskMiB?: number;
  /** Its image has no sshd. */
  readonly sshd?: false;
  /** Folders of this machine's, by where they are seen. */
  readonly volumes?: Readonly<Record<string, string>>;
  /** The address of the only name server that it asks. */
  readonly nameServer?: string;
}

/** What Nix's sandbox wants of a container: namespaces, mounts and a loopback device of its own. */
const RIGHTS = ["--cap-add=SYS_ADMIN", "--cap-add=NET_ADMIN", ...["seccomp", "apparmor", "systempaths"].map((each) => `--security-opt=${each}=unconfined`)];

/** The first process: adopts and reaps orphans until it is told to end. */
const INIT = 'trap "exit 0" TERM; while :; do sleep 86400 & wait; done';

/** Installs the keys that the tests made: the host's own on standard input and `$1`, the administrator's `$2`. */
const KEYS = `set -eu
install -d -m 700 /root/.ssh
umask 077
cat >/etc/ssh/ssh_host_ed25519_key
printf '%s\\n' "$1" >/etc/ssh/ssh_host_ed25519_key.pub
[ -e /root/.ssh/authorized_keys ] || : >/root/.ssh/authorized_keys
grep -qxF "$2" /root/.ssh/authorized_keys || printf '%s\\n' "$2" >>/root/.ssh/authorized_keys`;

let made = 0;

export class HostMachine {
  readonly name: string;
  /** Its address on the bridge; sshd listens at port 22. */
  readonly address: string;
  /** Its host key, one line as in authorized_keys. */
  readonly hostKey: string;
  /** Opens it for root. */
  readonly adminKey: KeyPair;
  /** The device of the disk that was asked for. */
  readonly disk: string | undefined;
  /** A folder of the test's for what belongs to the hosts: keys, and files on their way. */
  readonly folder: string;
  readonly #network: HostNetwork;
  readonly #container: string;
  readonly #cleanup: Cleanup;

  private constructor(network: HostNetwork, options: MachineOptions, key: KeyPair, disk: string | undefined, container: string, cleanup: Cleanup) {
    this.name = options.name;
    this.address = network.address(options.name);
    this.hostKey = key.public;
    this.adminKey = network.adminKey;
    this.disk = disk;
    this.folder = network.folder;
    this.#network = network;
    this.#container = container;
    this.#cleanup = cleanup;
  }

  /** A host that answers by SSH, where it has an sshd. */
  static async start(network: HostNetwork, options: MachineOptions): Promise<HostMachine> {
    return assemble(async (cleanup) => {
      network.before(() => cleanup.run());
      const number = ++made;
      const key = options.newHostKey ? await makeKeyPair(network.folder, `host-${options.name}-${number}`) : await network.hostKey(options.name);
      const container = `${options.name}-${number}`;
      const disk = options.diskMiB === undefined ? undefined : await makeDisk(network, container, options.diskMiB, cleanup);
      const place = ["--name", container, "--hostname", options.name, "--network", NETWORK_NAME, "--ip", network.address(options.name)];
      // What lies in /run is gone after a restart, as on any host.
      const mounts = ["--tmpfs", "/run:exec,mode=755", ...(disk === undefined ? [] : ["--device", disk])];
      const volumes = Object.entries(options.volumes ?? {}).map(([at, folder]) => `--volume=${folder}:${at}`);
      const names = options.nameServer === undefined ? [] : [`--dns=${options.nameServer}`];
      await network.docker.run(["run", "--detach", ...place, ...names, ...RIGHTS, ...mounts, ...volumes, options.image ?? network.image, "bash", "-c", INIT]);
      cleanup.add(() => network.docker.run(["rm", "--force", container]));
      const machine = new HostMachine(network, options, key, disk, container, cleanup);
      if (options.sshd === false) return machine;
      await machine.run(["bash", "-c", KEYS, "keys", key.public, network.adminKey.public], { input: key.private });
      await machine.startSshd();
      return machine;
    });
  }

  /** For a Docker client that is to reach this network's engine. */
  get #dockerEnv(): Record<string, string> {
    return { ...(process.env as Record<string, string>), ...this.#network.docker.env };
  }

  /** Starts a command as root, without SSH. */
  start(args: readonly string[], options: StartOptions = {}): Running {
    const flags = options.input === undefined ? [] : ["--interactive"];
    const given = Object.entries(options.env ?? {}).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
    const cwd = options.cwd === undefined ? [] : ["--workdir", options.cwd];
    const { env: _, cwd: __, ...rest } = options;
    return start("docker", ["exec", ...flags, ...given, ...cwd, this.#container, ...args], { ...rest, env: this.#dockerEnv });
  }

  /** Runs a command as root, without SSH. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return finish(this.start(args, options), options);
  }

  /** Lines of bash as root, stopping at the first error. */
  async bash(script: string, options: RunOptions = {}): Promise<Result> {
    return this.run(["bash", "-euo", "pipefail", "-c", script], options);
  }

  /** Copies what `tar -cf -` with these arguments packs into a folder of the machine's, which is made. */
  async copyIn(folder: string, packed: readonly string[], options: Pick<RunOptions, "input"> = {}): Promise<void> {
    await this.run(["mkdir", "-p", folder]);
    await run("bash", ["-o", "pipefail", "-c", 'target=$1; shift; tar -cf - "$@" | docker cp - "$target"', "bash", `${this.#container}:${folder}`, ...packed], { ...options, env: this.#dockerEnv });
  }

  /** Runs a command over SSH, with the host key checked. */
  async ssh(command: string, options: RunOptions & { readonly user?: string; readonly key?: string; readonly arguments?: readonly string[] } = {}): Promise<Result> {
    return run("ssh", [...(await this.sshArguments(options.key)), ...(options.arguments ?? []), `${options.user ?? "root"}@${this.address}`, command], options);
  }

  /** The arguments of `ssh` that take this host's key only and offer this private key only (default: the administrator's). */
  async sshArguments(key: string = this.adminKey.file): Promise<string[]> {
    const known = join(this.#network.folder, `known-${this.#container}`);
    await writeFile(known, `${this.address} ${this.hostKey}\n`);
    const options = ["BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", `UserKnownHostsFile=${known}`, "ConnectTimeout=10"];
    return ["-F", "none", "-i", key, ...options.flatMap((option) => ["-o", option])];
  }

  /** Starts sshd and waits for it. */
  async startSshd(): Promise<void> {
    await this.run(["bash", "-c", "mkdir -p /run/sshd && /usr/sbin/sshd"]);
    const end = performance.now() + 30_000;
    for (;;) {
      const { code, stderr } = await this.ssh("true", { allowFailure: true });
      if (code === 0) return;
      if (performance.now() > end) throw new Error(`${this.name} does not answer by SSH: ${stderr}`);
      await sleep(100);
    }
  }

  /** Ends sshd with all its connections: the host is there and refuses. */
  async stopSshd(): Promise<void> {
    await this.run(["pkill", "-KILL", "sshd"]);
  }

  /** Starts the units that the bootstrap enabled; answers their names. */
  async startUnits(): Promise<string[]> {
    return startUnits(this);
  }

  /** Ends what `startUnits` started. */
  async stopUnits(): Promise<void> {
    await stopUnits(this);
  }

  /** Switches it off: all its processes end, its disk stays. */
  async stop(): Promise<void> {
    await this.#network.docker.run(["kill", this.#container]);
  }

  /** Switches it on again, with sshd; the units are started by `startUnits`. */
  async restart(): Promise<void> {
    await this.#network.docker.run(["restart", "--time", "0", this.#container]);
    if (this.disk !== undefined) await this.run(["mount", "--all"]);
    await this.startSshd();
  }

  /** Cuts it off from the network, without any end of its connections; `reconnect` undoes it. */
  async disconnect(): Promise<void> {
    await this.#network.docker.run(["network", "disconnect", NETWORK_NAME, this.#container]);
  }

  async reconnect(): Promise<void> {
    await this.#network.docker.run(["network", "connect", "--ip", this.address, NETWORK_NAME, this.#container]);
  }

  /** Its state as an image, without what lies on the disk that was asked for; processes are not part of it. */
  async snapshot(image: string): Promise<string> {
    await this.#network.docker.run(["commit", this.#container, image]);
    return image;
  }

  /** Throws it away. */
  async remove(): Promise<void> {
    await this.#cleanup.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }
}

/** A loop device over an empty file. */
async function makeDisk(network: HostNetwork, name: string, sizeMiB: number, cleanup: Cleanup): Promise<string> {
  const file = join(network.folder, "disks", name);
  await run("truncate", ["--size", `${sizeMiB}M`, file]);
  cleanup.add(() => run("rm", ["-f", file]));
  const device = (await run("losetup", ["--find", "--show", file])).stdout.trim();
  cleanup.add(() => run("losetup", ["--detach", device]));
  return device;
}
