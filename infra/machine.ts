import type * as pulumi from "@pulumi/pulumi";
import type { BootstrapSettings } from "./bootstrap.ts";
import { type BootstrapHostArgs, bootstrapHost } from "./bootstrap-host.ts";
import { textFor } from "./bootstrap-text.ts";

/** What a host has beside its address where the stack itself makes the machine. */
export interface Machine {
  /** A new one has lost what was set up on it, but for its disk for /nix. */
  readonly instance: pulumi.Resource;
  /** Once they are made, the machine comes up. */
  readonly ready: readonly pulumi.Resource[];
  /** What it has beside its role. */
  readonly settings: BootstrapSettings & { readonly role: "instance" };
  /** Starts the machine where it has stopped. */
  readonly wake: () => Promise<void>;
}

/** Of a command that sets something up on the machine: it runs again on a new one, and is forgotten with it. */
export function boundTo(machine: Machine | undefined): Pick<pulumi.CustomResourceOptions, "replaceWith" | "deletedWith"> {
  return machine === undefined ? {} : { replaceWith: [machine.instance], deletedWith: machine.instance };
}

/** Sets the machine up, as NAME-bootstrap and, where the stack makes it, NAME-instance; answers what the next command waits for. */
export function setUp(name: string, args: Omit<BootstrapHostArgs, "wake">, machine: Machine | undefined, options: pulumi.CustomResourceOptions): pulumi.Resource {
  const wake = machine?.wake;
  const bound = { ...options, ...boundTo(machine) };
  const { resource } = bootstrapHost(`${name}-bootstrap`, { ...args, wake }, { ...bound, dependsOn: [...(machine?.ready ?? [])] });
  if (machine === undefined) return resource;
  return bootstrapHost(`${name}-instance`, { ...args, text: textFor(machine.settings), wake }, { ...bound, dependsOn: [resource] }).resource;
}
