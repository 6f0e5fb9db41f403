import { join } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { buildSettings } from "./bootstrap.ts";
import { bootstrapHost } from "./bootstrap-host.ts";
import { textFor } from "./bootstrap-text.ts";
import { canonicalJson } from "./canonical-json.ts";
import type { BuildHostConfig } from "./config.ts";
import { type Host, LocalHost } from "./host.ts";
import { type Plan, protocol } from "./request.ts";
import { SshHost } from "./ssh/host.ts";
import { packSources } from "./ssh/sources.ts";

export interface BuildHostArgs {
  readonly plan: Plan;
  /** The project's folder on this machine. */
  readonly root: string;
  readonly stack: string;
}

/** The machine that builds; it can run scripts once all of `ready` is done. */
export interface OpenedHost {
  readonly host: Host;
  readonly ready: readonly pulumi.Resource[];
}

type RemoteConfig = Extract<BuildHostConfig, { kind: "ssh" }>;

export function openBuildHost(name: string, args: BuildHostArgs): OpenedHost {
  const { buildHost } = args.plan.config;
  return buildHost.kind === "local" ? { host: new LocalHost(), ready: [] } : new SshBuildHost(name, { ...args, buildHost });
}

/**
 * A build host over SSH: NAME-bootstrap sets it up, where it is to be; NAME-ready makes the stack's folder there; NAME-upload
 * is the archive of the sources, NAME-sources unpacks it.
 */
class SshBuildHost extends pulumi.ComponentResource implements OpenedHost {
  readonly host: SshHost;
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, { plan, root, stack, buildHost }: BuildHostArgs & { readonly buildHost: RemoteConfig }) {
    super("comfyui:hosts:BuildHost", name);
    const { host: address, port, hostKey, user, privateKey, jump, admin } = buildHost;
    const machine = { host: address, port, hostKey, privateKey, jump };
    // Stacks share a host's Nix store and nothing else.
    const folder = `comfyui/${stack}`;
    const upload = `${folder}/.local/upload`;
    const archive = `${upload}/sources.tar`;
    const sources = packSources(root, plan.inputs, join(root, `.local/upload/${stack}.tar`));
    this.host = new SshHost(name, { target: { ...machine, user }, folder });
    const { login } = this.host;

    const first = admin === undefined ? [] : [bootstrapHost(`${name}-bootstrap`, { machine: { ...machine, admin }, text: textFor(buildSettings(plan.config)) }, { parent: this }).resource];
    const ready = login.command(`${name}-ready`, { create: `umask 077 && mkdir -p ${upload}` }, { parent: this, dependsOn: first });
    const copied = new command.remote.CopyToRemote(
      `${name}-upload`,
      // The provider copies again when the content changes, but not when the host does.
      { connection: login.connection, source: new pulumi.asset.FileAsset(sources.file), remotePath: archive, triggers: [address, port, hostKey] },
      { parent: this, dependsOn: [ready.resource], hooks: this.host.folderHooks },
    );
    const unpacked = login.command(
      `${name}-sources`,
      { create: `exec bash -c 'exec bash <(tar -xOf ${archive} infra/hosts/unpack-sources.sh) ${archive}'`, stdin: canonicalJson({ protocol, digest: sources.digest }) },
      { parent: this, dependsOn: [copied], hooks: this.host.folderHooks },
    );
    this.ready = [unpacked.resource];
    this.registerOutputs({});
  }
}
