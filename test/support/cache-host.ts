/** A cache host as the bootstrap makes it, for each of the servers that the bundle has, and what a build host needs to use it. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { textFor } from "../../infra/bootstrap-text.ts";
import type { BootstrapSettings } from "../../infra/bootstrap.ts";
import { CHECKOUT } from "./checkout.ts";
import { HostMachine, type MachineOptions } from "./host-machine.ts";
import { type HostNetwork, type KeyPair, makeKeyPair } from "./host-network.ts";
import { run } from "./process.ts";

export type Server = "nix-serve" | "harmonia";

/** The servers' archives of the bundle, and the program in each. */
const SERVERS = {
  "nix-serve": { archive: /^nix-serve-debian13-linux-amd64\.tar\.xz$/, program: "nix-serve", packages: "starman" },
  harmonia: { archive: /^harmonia-cache-.*-linux-amd64\.tar\.xz$/, program: "harmonia-cache", packages: "" },
} as const;

export interface SigningKey {
  /** A file with the secret key. */
  readonly file: string;
  readonly public: string;
}

export async function makeSigningKey(folder: string, name: string): Promise<SigningKey> {
  const file = join(folder, `${name}.secret`);
  await run("sh", ["-c", 'umask 077 && nix key generate-secret --key-name "$1" >"$2"', "sh", name, file]);
  const text = (await run("nix", ["key", "convert-secret-to-public"], { input: await readFile(file, "utf8") })).stdout.trim();
  return { file, public: text };
}

/** The bundle's folder of archives. */
function archives(): string {
  const folder = join(process.env.COMFYUI_TOOLCHAIN ?? join(CHECKOUT, "../shared/toolchain"), "linux-amd64");
  if (!existsSync(folder)) throw new Error(`the bundle with the cache servers is not at ${folder}: set COMFYUI_TOOLCHAIN`);
  return folder;
}

/** Puts the server's program where a host has what its administrator installed; answers its path. */
export async function installServer(machine: HostMachine, server: Server): Promise<string> {
  const { archive, program, packages } = SERVERS[server];
  const names = (await run("ls", [archives()])).stdout.split("\n");
  const name = names.find((each) => archive.test(each));
  if (name === undefined) throw new Error(`${archives()} has no archive of ${server}`);
  if (packages) await machine.bash(`apt-get update -qq && apt-get install -qq -y --no-install-recommends ${packages}`);
  const file = join(machine.folder, `${machine.name}-${server}.tar`);
  await run("sh", ["-c", 'xz -dc "$1" >"$2"', "sh", join(archives(), name), file]);
  await machine.run(["tar", "-xC", "/usr/local"], { input: await readFile(file) });
  return `/usr/local/bin/${program}`;
}

export interface CacheHostOptions extends Partial<MachineOptions> {
  readonly server: Server;
  readonly key: SigningKey;
  /** Further settings of the role. */
  readonly settings?: Omit<BootstrapSettings, "role">;
}

/** A cache host with its units started, the key that may push to it, and what it was set up with. */
export async function startCacheHost(network: HostNetwork, options: CacheHostOptions): Promise<{ machine: HostMachine; push: KeyPair; settings: BootstrapSettings }> {
  const { server, key, settings: more, ...rest } = options;
  const machine = await HostMachine.start(network, { name: "cache", ...rest });
  const push = await makeKeyPair(machine.folder, `push-${machine.name}-${server}`);
  const serverPath = await installServer(machine, server);
  const settings: BootstrapSettings = {
    role: "cache", stack: "dev", authorizedKeys: [], server, serverPath, nixpkgs: "github:NixOS/nixpkgs", publicKeys: [key.public], pushKeys: [push.public],
    domain: null, port: 80, auth: null, priority: 50, volume: machine.disk ?? null, ...more,
  };
  await machine.ssh("bash -s", { input: textFor(settings) });
  await machine.startUnits();
  return { machine, push, settings };
}
