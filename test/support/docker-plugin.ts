/** Pulumi's own plugin for Docker. It is in no package registry, so that stacks with it are run by `npm run test:official` alone. */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CHECKOUT } from "./checkout.ts";
import { OFFICIAL_PIECES } from "./pulumi-pieces.ts";
import type { Sandbox } from "./sandbox.ts";

/** Installs it for the Pulumi of this sandbox, where it is not yet: `pulumi-resource-docker` in the folder of the official pieces. */
export function installDockerPlugin(sandbox: Sandbox): void {
  const { version } = JSON.parse(readFileSync(join(CHECKOUT, "node_modules/@pulumi/docker/package.json"), "utf8")) as { version: string };
  const folder = sandbox.host(`.local/pulumi/plugins/resource-docker-v${version}`);
  if (existsSync(join(folder, "pulumi-resource-docker"))) return;
  if (OFFICIAL_PIECES === undefined) throw new Error("COMFYUI_OFFICIAL_PIECES is not set: the folder with Pulumi's own pieces, here pulumi-resource-docker");
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(OFFICIAL_PIECES, "pulumi-resource-docker"), join(folder, "pulumi-resource-docker"));
}
