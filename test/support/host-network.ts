/**
 * A network of hosts: a Docker of its own with a bridge on which containers have fixed addresses, reach each other, and reach
 * whatever this machine reaches. `HostMachine.start(network, …)` puts a host on it.
 */
import { mkdir, mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bridge, makeBridge, openOutward, outwardMtu } from "./bridge.ts";
import { assemble, type Cleanup } from "./cleanup.ts";
import { debianImage } from "./debian-image.ts";
import { Docker } from "./docker.ts";
import { run } from "./process.ts";

export interface KeyPair {
  /** The private key's file, readable by its owner alone. */
  readonly file: string;
  /** Its text. */
  readonly private: string;
  /** One line as in authorized_keys, without a comment. */
  readonly public: string;
}

export const NETWORK_NAME = "hosts";
/** The first address for a host; 1 is this machine. */
const FIRST = 10;

/** A new ed25519 key pair in `folder`. */
export async function makeKeyPair(folder: string, name: string): Promise<KeyPair> {
  const file = join(folder, name);
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file]);
  return { file, private: await readFile(file, "utf8"), public: (await readFile(`${file}.pub`, "utf8")).trim() };
}

/** How the folder is named that holds the hosts' disks. */
const DISKS = "comfyui-hosts-";

/** Loop devices of tests that were killed: their files are deleted. */
async function detachStaleDisks(): Promise<void> {
  const { stdout } = await run("losetup", ["--list", "--noheadings", "--output", "NAME,BACK-FILE"]);
  for (const line of stdout.split("\n").filter((each) => each.includes(DISKS) && each.endsWith("(deleted)"))) {
    await run("losetup", ["--detach", line.split(" ")[0] ?? ""], { allowFailure: true });
  }
}

export class HostNetwork {
  readonly docker: Docker;
  /** This machine's address on the bridge: what listens there is seen by the hosts. */
  readonly gateway: string;
  /** Keys and disks of the hosts. */
  readonly folder: string;
  /** Opens every host for root. */
  readonly adminKey: KeyPair;
  /** What a host starts from. */
  readonly image: string;
  readonly #net: string;
  readonly #cleanup: Cleanup;
  readonly #names: string[] = [];
  readonly #hostKeys = new Map<string, Promise<KeyPair>>();

  private constructor(docker: Docker, bridge: Bridge, folder: string, adminKey: KeyPair, image: string, cleanup: Cleanup) {
    this.docker = docker;
    this.gateway = `${bridge.net}.1`;
    this.folder = folder;
    this.adminKey = adminKey;
    this.image = image;
    this.#net = bridge.net;
    this.#cleanup = cleanup;
  }

  /** `makeImage`: what a host starts from; default: a server of Debian 13. */
  static async start(makeImage: (docker: Docker) => Promise<string> = debianImage): Promise<HostNetwork> {
    return assemble(async (cleanup) => {
      await detachStaleDisks();
      const folder = await mkdtemp(join(tmpdir(), DISKS));
      cleanup.add(() => run("rm", ["-rf", "--one-file-system", folder]));
      // This machine's Nix remembers for days what a cache at an address said; these addresses were another test's before.
      process.env["XDG_CACHE_HOME"] = join(folder, "cache");
      const bridge = await makeBridge(cleanup);
      await openOutward(bridge, cleanup);
      const docker = await Docker.start();
      cleanup.add(() => docker.stop());
      const options = { "com.docker.network.bridge.name": bridge.name, "com.docker.network.driver.mtu": await outwardMtu() };
      const settings = Object.entries(options).flatMap(([name, value]) => ["--opt", `${name}=${value}`]);
      const subnet = ["--subnet", `${bridge.net}.0/24`, "--gateway", `${bridge.net}.1`];
      await docker.run(["network", "create", "--driver", "bridge", ...settings, ...subnet, NETWORK_NAME]);
      await mkdir(join(folder, "disks"));
      const image = await makeImage(docker);
      return new HostNetwork(docker, bridge, folder, await makeKeyPair(folder, "admin"), image, cleanup);
    });
  }

  /** The address of a host by its name: the same for a host that takes another's place. */
  address(name: string): string {
    if (!this.#names.includes(name)) this.#names.push(name);
    return `${this.#net}.${FIRST + this.#names.indexOf(name)}`;
  }

  /** The host key of this name, the same for a host that takes another's place. */
  hostKey(name: string): Promise<KeyPair> {
    const known = this.#hostKeys.get(name) ?? makeKeyPair(this.folder, `host-${name}`);
    this.#hostKeys.set(name, known);
    return known;
  }

  /** What is to be undone before the network ends: a host's own cleanup. */
  before(step: () => Promise<unknown>): void {
    this.#cleanup.add(step);
  }

  /** Ends all hosts and removes everything of them. */
  async stop(): Promise<void> {
    await this.#cleanup.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
