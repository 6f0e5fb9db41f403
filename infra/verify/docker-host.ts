/** Where the Docker engine is that tries an image, and the two ways to it: Docker's own, and a shell. */
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { BuildHostConfig } from "../config.ts";
import type { VerifyConfig } from "../config/verify.ts";
import { timeouts } from "../host.ts";
import { boundTo, type Machine } from "../machine.ts";
import { SshLogin } from "../ssh/login.ts";

export interface DockerHost {
  /** Of Docker's provider: an engine's address, and options of the program ssh. */
  readonly address: { readonly host: string; readonly sshOpts?: string[] };
  /** What a shell sets to reach the same engine: DOCKER_HOST. */
  readonly fromShell: string | null;
  /** Declares a run of a text by bash, beside `docker`. */
  readonly run: (name: string, text: pulumi.Input<string>, options: pulumi.CustomResourceOptions) => pulumi.Resource;
  /** Of what is in the engine. */
  readonly options: pulumi.CustomResourceOptions;
}

export interface DockerHostArgs {
  readonly docker: VerifyConfig["docker"];
  readonly buildHost: BuildHostConfig;
  /** The build host, where the stack makes it. */
  readonly machine: Machine | undefined;
}

export function dockerHost(name: string, { docker, buildHost, machine }: DockerHostArgs): DockerHost {
  if (docker.kind === "engine") return engineOfAddress(docker.address);
  if (buildHost.kind !== "ssh") throw new Error("verify.docker was checked by the configuration");
  const { host, port, hostKey } = buildHost;
  const user = buildHost.admin ?? buildHost.user;
  const login = new SshLogin(name, { host, port, hostKey, user }, machine?.wake);
  const options = { ...boundTo(machine), hooks: login.hooks };
  return {
    address: { host: `ssh://${user}@${host.includes(":") ? `[${host}]` : host}:${port}`, sshOpts: pinnedTo(hostKey) },
    fromShell: null,
    run: (command, stdin, more) => login.command(command, { create: "exec bash -s", stdin }, { ...options, ...more }).resource,
    options,
  };
}

function engineOfAddress(address: string): DockerHost {
  return {
    address: { host: address },
    fromShell: address,
    run: (name, stdin, options) =>
      new command.local.Command(name, { create: "exec bash -s", stdin, addPreviousOutputInEnv: false, logging: command.local.Logging.Stderr }, { ...options, customTimeouts: timeouts }),
    options: {},
  };
}

/** Options of ssh: the configured host key and no other, without a file. ssh runs the command itself, no shell does. */
export function pinnedTo(hostKey: string): string[] {
  const options = [`KnownHostsCommand=/bin/echo * ${hostKey}`, "StrictHostKeyChecking=yes", "UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null", "BatchMode=yes", "ConnectTimeout=20"];
  return options.flatMap((option) => ["-o", option]);
}
