import { z } from "zod";
import { hostKey, hostName, privateKey, userName } from "./checked.ts";

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

/**
 * Where layers are built. `local`: the machine that runs pulumi. `ssh`: a machine that is there, Debian 13 or Ubuntu 24.04;
 * `user`: who builds there (default: comfyui, which setting it up makes). Default: local.
 */
export const buildHost = z
  .discriminatedUnion("kind", [z.strictObject({ kind: z.literal("local") }), z.strictObject({ kind: z.literal("ssh"), ...login, user: userName.default("comfyui") })])
  .default({ kind: "local" });
