/** Tries the published image in a container. Loaded only where a stack asks for it: Docker's SDK and plugin are large. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { canonicalJson, type Json } from "./canonical-json.ts";
import type { VerifyConfig } from "./config/verify.ts";
import type { Machine } from "./machine.ts";
import { type Plan, protocol } from "./request.ts";
import { dockerHost } from "./verify/docker-host.ts";
import { smokeCommand } from "./verify/smoke.ts";

export interface VerifyArgs {
  readonly plan: Plan;
  readonly verify: VerifyConfig;
  /** HOST/NAME@sha256:…, as the registry answered it: the key of all that runs here. */
  readonly image: pulumi.Output<string>;
  /** The build host, where the stack makes it. */
  readonly machine: Machine | undefined;
}

/** Seconds that all smoke tests together may take. */
const LIMIT = 1800;

/**
 * NAME-pull, NAME-image, NAME-container, NAME-smoke. Docker's provider owns what is in the engine, so that a new digest and
 * `destroy` take image and container away. Two things are left to Docker's own command:
 * - The pull, since the provider wants a registry's login among its settings, where it is read at each start: one that is
 *   missing or has expired would fail a destroy and every preview. The provider finds the image there and takes it over.
 * - The run. A container that the provider runs by itself (`attach`) counts as made whatever its exit status, so that the next
 *   `up` would not try again; its output is seen at the end only; and a run that is killed leaves a container that no state
 *   knows. So the container is made, and is in the state, before it is started.
 */
export class Verify extends pulumi.ComponentResource {
  constructor(name: string, { plan, verify, image, machine }: VerifyArgs) {
    super("comfyui:image:Verify", name);
    const host = dockerHost(name, { docker: verify.docker, buildHost: plan.config.buildHost, machine });
    const provider = new docker.Provider(`${name}-docker`, host.address, { parent: this });
    const text = (request: { readonly [key: string]: Json }) => verifyText({ protocol, docker: host.fromShell, ...request });
    const made = { ...host.options, provider, parent: this };

    const pulled = host.run(`${name}-pull`, image.apply((reference) => text({ step: "pull", image: reference })), { parent: this });
    const local = new docker.RemoteImage(`${name}-image`, { name: image, keepLocally: false }, { ...made, dependsOn: [pulled] });
    const container = new docker.Container(
      `${name}-container`,
      {
        image,
        command: smokeCommand({ graph: plan.graph, flavor: plan.settings.flavor, gpu: verify.gpu }),
        workingDir: "/tmp",
        networkMode: "none",
        start: false,
        mustRun: false,
        ...(verify.gpu && { gpus: "all" }),
      },
      { ...made, dependsOn: [local] },
    );
    const request = pulumi.all([image, container.id]).apply(([reference, id]) => text({ step: "smoke", image: reference, container: id, limitSeconds: LIMIT }));
    host.run(`${name}-smoke`, request, { parent: this });
    this.registerOutputs({});
  }
}

/** A script for `bash -s`: the same for this machine and for one over SSH whose user has none of our files. */
export function verifyText(request: { readonly [key: string]: Json }): string {
  const files = ["messages.sh", "verify-image.sh"].map((file) => readFileSync(join(import.meta.dirname, "hosts", file), "utf8").replace(/^#.*\n/gm, ""));
  return [`REQUEST=$(cat <<'REQUEST'\n${canonicalJson(request)}\nREQUEST\n)\n`, ...files].join("");
}
