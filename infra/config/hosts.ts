import { z } from "zod";
import { ec2Builders, ec2BuildHost } from "./aws.ts";
import { absolutePath, featureName, hostKey, hostName, privateKey, userName } from "./checked.ts";

const port = z.int().min(1).max(65535).default(22);

/** The way to a machine. Re-runs the machine's commands, which find everything done. */
const address = {
  /** Name or address of the machine. */
  host: hostName,
  /** Port of its SSH server. Default: 22. */
  port,
  /** Its host key, `TYPE BASE64`: no other is accepted. `npm run ops -- host key HOST` reads it. */
  hostKey,
  /** Private key of the login, a secret, without a passphrase. Default: the keys of the SSH agent. */
  privateKey: privateKey.optional(),
};

/** A host that the connection goes through. */
const jump = z.strictObject({ ...address, user: userName }).optional();

/** The way in, for a user of the machine. */
export const login = {
  ...address,
  jump,
  /**
   * A user of the machine that is root, or may become it by sudo without a password: `pulumi up` then sets the machine up
   * itself. Default: none; the machine is set up by hand (`npm run ops -- host bootstrap`).
   */
  admin: userName.optional(),
};

/** A block device for /nix, such as /dev/nvme1n1; it is formatted where it holds nothing. Default: none, /nix lies on the system's disk. */
export const volume = absolutePath.optional();

const gib = z.number().min(0).max(100_000);

const remoteBuildHost = z.strictObject({
  kind: z.literal("ssh"),
  ...login,
  user: userName.default("comfyui"),
  volume,
  /** Free space, in GiB, below which Nix takes away what nobody needs, until `maxFreeGiB` are free. Default: 5. */
  minFreeGiB: gib.default(5),
  maxFreeGiB: gib.default(20),
});

/**
 * Where layers are built. `local`: the machine that runs pulumi. `ssh`: a machine that is there, Debian 13 or Ubuntu 24.04;
 * `user`: who builds there (default: comfyui, which setting it up makes). `ec2`: one that the stack makes. Default: local.
 */
export const buildHost = z
  .discriminatedUnion("kind", [z.strictObject({ kind: z.literal("local") }), remoteBuildHost, ec2BuildHost])
  .default({ kind: "local" });

const system = z.enum(["x86_64-linux", "aarch64-linux"]);

const builder = z.strictObject({
  ...login,
  /** What it builds for. */
  systems: z.array(system).min(1),
  /** Derivations at a time. Default: 1. */
  maxJobs: z.int().min(1).max(1000).default(1),
  /** How fast it is beside the others: Nix prefers the greater. Default: 1. */
  speedFactor: z.int().min(1).max(1000).default(1),
  /** Nix's system features. Default: big-parallel. */
  features: z.array(featureName).default(["big-parallel"]),
});

/**
 * Further machines to which Nix on the build host hands derivations. `ssh`: machines that are there, Debian 13 or Ubuntu 24.04.
 * `ec2`: machines that the stack makes. Default: none. Re-runs no layer.
 */
export const builders = z
  .discriminatedUnion("kind", [z.strictObject({ kind: z.literal("none") }), z.strictObject({ kind: z.literal("ssh"), hosts: z.array(builder).min(1) }), ec2Builders])
  .default({ kind: "none" });
