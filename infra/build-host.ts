import { join } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { buildSettings } from "./bootstrap.ts";
import { readNixpkgs, textFor } from "./bootstrap-text.ts";
import { canonicalJson } from "./canonical-json.ts";
import type { BuildHostConfig } from "./config.ts";
import { type Host, LocalHost } from "./host.ts";
import { boundTo, type Machine, setUp } from "./machine.ts";
import { type Plan, protocol } from "./request.ts";
import { SshHost } from "./ssh/host.ts";
import { packSources } from "./ssh/sources.ts";
import { stackFolder } from "./ssh/stack-folder.ts";

export interface BuildHostArgs {
  readonly plan: Plan;
  /** The project's folder on this machine. */
  readonly root: string;
  readonly stack: string;
  /** Where the stack makes it. */
  readonly machine?: Machine | undefined;
}

/** The machine that builds; it can run scripts once all of `ready` is done. */
export interface OpenedHost {
  readonly host: Host;
  readonly ready: readonly pulumi.Resource[];
  /** Of what a script leaves on the machine, other than in its Nix store. */
  readonly options: pulumi.CustomResourceOptions;
}

type RemoteConfig = Extract<BuildHostConfig, { kind: "ssh" }>;

export function openBuildHost(name: string, args: BuildHostArgs): OpenedHost {
  const { buildHost } = args.plan.config;
  return buildHost.kind === "local" ? { host: new LocalHost(), ready: [], options: {} } : new SshBuildHost(name, { ...args, buildHost });
}

/**
 * A build host over SSH: NAME-bootstrap sets it up, where it is to be; NAME-ready makes the stack's folder there; NAME-upload
 * is the archive of the sources, NAME-sources unpacks it.
 */
class SshBuildHost extends pulumi.ComponentResource implements OpenedHost {
  readonly host: SshHost;
  readonly ready: readonly pulumi.Resource[];
  readonly options: pulumi.CustomResourceOptions;

  constructor(name: string, { plan, root, stack, buildHost, machine }: BuildHostArgs & { readonly buildHost: RemoteConfig }) {
    super("comfyui:hosts:BuildHost", name);
    const { host: address, port, hostKey, user, privateKey, jump, admin } = buildHost;
    const way = { host: address, port, hostKey, privateKey, jump };
    this.options = boundTo(machine);
    const options = { parent: this, ...this.options };
    const folder = stackFolder(stack);
    const upload = `${folder}/.local/upload`;
    const archive = `${upload}/sources.tar`;
    const sources = packSources(root, plan.inputs, join(root, `.local/upload/${stack}.tar`));
    this.host = new SshHost(name, { target: { ...way, user }, folder, wake: machine?.wake });
    const { login } = this.host;

    const first = admin === undefined ? [] : [setUp(name, { machine: { ...way, admin }, text: textFor(buildSettings(plan.config, { stack, nixpkgs: readNixpkgs() })) }, machine, { parent: this })];
    const ready = login.command(`${name}-ready`, { create: `umask 077 && mkdir -p ${upload}` }, { ...options, dependsOn: first });
    const copied = new command.remote.CopyToRemote(
      `${name}-upload`,
      // The provider copies again when the content changes, but not when the host does.
      { connection: login.connection, source: new pulumi.asset.FileAsset(sources.file), remotePath: archive, triggers: [address, port, hostKey] },
      { ...options, dependsOn: [ready.resource], hooks: this.host.folderHooks },
    );
    const unpacked = login.command(
      `${name}-sources`,
      { create: `exec bash -c 'exec bash <(tar -xOf ${archive} infra/hosts/unpack-sources.sh) ${archive}'`, stdin: canonicalJson({ protocol, digest: sources.digest }) },
      { ...options, dependsOn: [copied], hooks: this.host.folderHooks },
    );
    this.ready = [unpacked.resource];
    this.registerOutputs({});
  }
}
