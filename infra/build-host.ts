import { join } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { canonicalJson } from "./canonical-json.ts";
import type { BuildHostConfig } from "./config.ts";
import { type Host, LocalHost } from "./host.ts";
import type { LayerInputs } from "./input-files.ts";
import { protocol } from "./request.ts";
import { SshHost } from "./ssh/host.ts";
import { packSources } from "./ssh/sources.ts";

export interface BuildHostArgs {
  readonly config: BuildHostConfig;
  /** The project's folder on this machine. */
  readonly root: string;
  readonly stack: string;
  /** The files that the host gets, beside its scripts. */
  readonly inputs: LayerInputs;
}

/** The machine that builds, ready to run scripts once `ready` is done. */
export interface OpenedHost {
  readonly host: Host;
  readonly ready: readonly pulumi.Resource[];
}

type Kinds = { readonly [K in BuildHostConfig["kind"]]: (name: string, args: BuildHostArgs & { readonly config: Extract<BuildHostConfig, { kind: K }> }) => OpenedHost };

const kinds: Kinds = {
  local: () => ({ host: new LocalHost(), ready: [] }),
  ssh: (name, args) => new SshBuildHost(name, args),
};

export function openBuildHost(name: string, args: BuildHostArgs): OpenedHost {
  return (kinds[args.config.kind] as (name: string, args: BuildHostArgs) => OpenedHost)(name, args);
}

/** A build host over SSH: NAME-ready (it answers), NAME-upload (it has the archive), NAME-sources (it has unpacked it). */
class SshBuildHost extends pulumi.ComponentResource implements OpenedHost {
  readonly host: SshHost;
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, { config, root, stack, inputs }: BuildHostArgs & { readonly config: Extract<BuildHostConfig, { kind: "ssh" }> }) {
    super("comfyui:hosts:BuildHost", name);
    // Stacks share a host's Nix store and nothing else.
    const folder = `comfyui/${stack}`;
    const upload = `${folder}/.local/upload`;
    const archive = `${upload}/sources.tar`;
    const { host: address, port, hostKey } = config;
    this.host = new SshHost(name, { target: config, folder });

    const ready = this.host.command(`${name}-ready`, { create: `umask 077 && mkdir -p ${upload}` }, { parent: this });
    const sources = packSources(root, inputs, join(root, `.local/upload/${stack}.tar`));
    const copied = new command.remote.CopyToRemote(
      `${name}-upload`,
      // The provider copies again when the content changes, but not when the host does.
      { connection: this.host.connection, source: new pulumi.asset.FileAsset(sources.file), remotePath: archive, triggers: [address, port, hostKey] },
      { parent: this, dependsOn: [ready.resource], hooks: this.host.hooks },
    );
    const unpacked = this.host.command(
      `${name}-sources`,
      { create: `exec bash -c 'exec bash <(tar -xOf ${archive} infra/hosts/unpack-sources.sh) ${archive}'`, stdin: canonicalJson({ protocol, digest: sources.digest }) },
      { parent: this, dependsOn: [copied] },
    );
    this.ready = [unpacked.resource];
    this.registerOutputs({});
  }
}
