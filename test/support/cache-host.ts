/** A cache host as the bootstrap makes it, for each of the servers, and what a build host needs to use it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { textFor } from "../../infra/bootstrap-text.ts";
import type { BootstrapSettings } from "../../infra/bootstrap.ts";
import { installServer, type Server } from "./cache-servers.ts";
import { HostMachine, type MachineOptions } from "./host-machine.ts";
import { type HostNetwork, type KeyPair, makeKeyPair } from "./host-network.ts";
import { run } from "./process.ts";

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
