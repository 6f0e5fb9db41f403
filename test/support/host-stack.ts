/**
 * A stack on machines of its own: a build host and a cache host (Debian 13, set up by the first `up`), a
 * docker-registry that they reach, and the machine that runs pulumi, which has no Nix store.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { newSigningKey, publicKeyOf } from "../../infra/config/signing-key.ts";
import { installServer, type Server } from "./cache-servers.ts";
import { CHECKOUT } from "./checkout.ts";
import { assemble, type Cleanup } from "./cleanup.ts";
import { HostMachine, type MachineOptions } from "./host-machine.ts";
import { HostNetwork } from "./host-network.ts";
import { preparedImage } from "./prepared-image.ts";
import { type CuttingProxy, cuttingProxy } from "./cutting-proxy.ts";
import { Registry } from "./registry.ts";
import { EMPTY_STORE, Sandbox, type SandboxOptions } from "./sandbox.ts";
import { ServiceManager } from "./service-manager.ts";
import { configure, configureSecrets } from "./stack-config.ts";
import { downloads } from "./test-cache.ts";

export interface HostStackOptions {
  /** What serves the cache. */
  readonly server: Server;
  /** Sizes in MiB of disks for the stores; default: the stores lie on the system's disk. */
  readonly disks?: { readonly build: number; readonly cache: number };
  /** The password of those who read the cache; default: everyone may. */
  readonly password?: string;
  /** Machines with nothing but what Debian comes with; default: the packages of all roles and the locked files are there. */
  readonly bare?: boolean;
  /** Of the machine that runs pulumi. */
  readonly laptop?: Omit<SandboxOptions, "store">;
}

const READER = "reader";

interface Changes {
  readonly buildHost?: object;
  readonly binaryCache?: object;
  /** Of `binaryCache.host`. */
  readonly cacheHost?: object;
  readonly builders?: object;
}

export class HostStack {
  readonly network: HostNetwork;
  readonly registry: Registry;
  /** What the hosts know as the registry. */
  readonly proxy: CuttingProxy;
  readonly laptop: Sandbox;
  /** The cache's signing key, secret and public. */
  readonly signing: { readonly secret: string; readonly public: string };
  readonly options: HostStackOptions;
  #build: HostMachine | undefined;
  #cache: HostMachine | undefined;
  #serverPath = "";
  readonly #services = new Map<string, ServiceManager>();
  readonly #cleanup: Cleanup;

  private constructor(network: HostNetwork, registry: Registry, proxy: CuttingProxy, laptop: Sandbox, options: HostStackOptions, cleanup: Cleanup) {
    this.network = network;
    this.registry = registry;
    this.proxy = proxy;
    this.laptop = laptop;
    this.options = options;
    const secret = newSigningKey("team-1");
    this.signing = { secret, public: publicKeyOf(secret) };
    this.#cleanup = cleanup;
  }

  get build(): HostMachine {
    return this.#build as HostMachine;
  }

  get cache(): HostMachine {
    return this.#cache as HostMachine;
  }

  static async start(options: HostStackOptions): Promise<HostStack> {
    return assemble(async (cleanup) => {
      const network = await HostNetwork.start();
      cleanup.add(() => network.stop());
      const registry = await Registry.start();
      cleanup.add(() => registry.stop());
      const proxy = await cuttingProxy(registry.address, network.gateway);
      cleanup.add(() => proxy.stop());
      const laptop = await Sandbox.create({ env: { COMFYUI_HOST_PATIENCE: "5" }, ...options.laptop, store: EMPTY_STORE });
      cleanup.add(() => laptop.stop());
      const stack = new HostStack(network, registry, proxy, laptop, options, cleanup);
      stack.#build = await stack.machine({ name: "build", ...(options.disks && { diskMiB: options.disks.build }) });
      stack.#cache = await stack.machine({ name: "cache", ...(options.disks && { diskMiB: options.disks.cache }) });
      stack.#serverPath = await installServer(stack.#cache, options.server);
      return stack;
    });
  }

  /** A machine that is not set up yet, whose services can be started. */
  async machine(options: MachineOptions): Promise<HostMachine> {
    const { bare = false } = this.options;
    const machine = await HostMachine.start(this.network, { ...(!bare && { image: await preparedImage(this.network) }), ...options });
    await this.manage(machine);
    if (!bare) await giveDownloads(machine);
    return machine;
  }

  /** The host's services can be started: after its start, and after each restart. */
  async manage(machine: HostMachine): Promise<void> {
    this.#services.set(machine.name, await ServiceManager.start(machine));
  }

  /** Switches a machine on again, with its services. */
  async restart(machine: HostMachine): Promise<void> {
    await machine.restart();
    await this.manage(machine);
    await machine.startUnits();
  }

  /** A machine that is not set up yet in the build host's place: same address, same host key. */
  async replaceBuildHost(): Promise<void> {
    await this.build.remove();
    this.#build = await this.machine({ name: "build" });
  }

  /** The configuration of the stack, in its own laptop or another; members of the sections are changed one by one. */
  async configure(changes: Changes = {}, secrets: Readonly<Record<string, string>> = {}, laptop = this.laptop): Promise<void> {
    const volume = ({ disk }: HostMachine) => (disk === undefined ? {} : { volume: disk });
    const login = (machine: HostMachine) => ({ host: machine.address, hostKey: machine.hostKey, admin: "root", ...volume(machine) });
    const { server, password } = this.options;
    const binaryCache = {
      kind: "nix-serve",
      name: "team",
      host: { ...login(this.cache), ...changes.cacheHost },
      server,
      serverPath: this.#serverPath,
      ...(password !== undefined && { auth: { user: READER } }),
      ...changes.binaryCache,
    };
    // Disks are filled to the brim on purpose: Nix is not to make room.
    const buildHost = { kind: "ssh", ...login(this.build), minFreeGiB: 0, maxFreeGiB: 0, ...changes.buildHost };
    const registry = { kind: "registry", repository: `${this.proxy.address}/comfyui`, tls: false };
    configure(laptop, { buildHost, binaryCache, registry, ...(changes.builders && { builders: changes.builders }) });
    await configureSecrets(laptop, { ...this.secrets(), ...secrets });
  }

  /** The secrets of the configuration, by their paths. */
  secrets(): Record<string, string> {
    const { private: key } = this.network.adminKey;
    const { password } = this.options;
    return {
      "buildHost.privateKey": key,
      "binaryCache.host.privateKey": key,
      "binaryCache.signingKey": this.signing.secret,
      ...(password !== undefined && { "binaryCache.auth.password": password }),
    };
  }

  /** The digest that the registry has under a tag; null where it has none. */
  async published(tag: string): Promise<string | null> {
    const answer = await fetch(`http://${this.registry.address}/v2/comfyui/manifests/${tag}`, { headers: { accept: "application/vnd.oci.image.manifest.v1+json" } });
    return answer.ok ? answer.headers.get("docker-content-digest") : null;
  }

  /** Lines of bash on the build host, as the user who builds. */
  async onBuildHost(script: string): Promise<string> {
    return (await this.build.bash(`cd /home/comfyui && exec setpriv --reuid=comfyui --regid=comfyui --init-groups env HOME=/home/comfyui bash -euo pipefail -c "$SCRIPT"`, { env: { SCRIPT: script } })).stdout;
  }

  async stop(): Promise<void> {
    await this.#cleanup.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** The sample's locked files, as far as this machine has them, where a login finds them: as if an earlier stack had fetched them. */
async function giveDownloads(machine: HostMachine): Promise<void> {
  const folder = "/var/cache/comfyui-downloads";
  await mkdir(downloads(), { recursive: true });
  const names = sampleFiles().filter((name) => existsSync(join(downloads(), name)));
  // A list, since without one tar refuses to pack nothing.
  await machine.copyIn(folder, ["-C", downloads(), "--files-from=-"], { input: names.map((name) => `${name}\n`).join("") });
  await machine.bash(`chmod -R a+rwX ${folder}; echo COMFYUI_DOWNLOADS=${folder} >>/etc/environment`);
}

function sampleFiles(): string[] {
  const locks = globSync("layers/{locks/sample,package-sets/debian}/**/*lock*.json", { cwd: CHECKOUT });
  const entries = locks.flatMap((lock) => (JSON.parse(readFileSync(join(CHECKOUT, lock), "utf8")) as { files?: { file: string }[] }).files ?? []);
  return [...new Set(entries.map(({ file }) => file))];
}
