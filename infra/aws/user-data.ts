/** What a new instance is told to do at its first boot. It makes it a host that the bootstrap over SSH can go on with. */
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

/** EC2's limit, before base64. */
export const USER_DATA_LIMIT = 16_384;

export interface FirstBoot {
  readonly region: string;
  /** Name of the secret in Secrets Manager that holds the SSH host key. The key itself is never in user data, which anyone on the host can read. */
  readonly secret: string;
  /** Login keys of the image's own user, who sets the host up. */
  readonly authorizedKeys: readonly string[];
}

const SCRIPT = "/usr/local/lib/comfyui/first-boot.sh";

/**
 * cloud-config, as JSON, which is YAML. The SSH server waits until its key is there: what a probe finds is then either nothing
 * or the pinned key, and never one that the image made up.
 */
export function cloudConfig({ region, secret, authorizedKeys }: FirstBoot): string {
  const config = {
    ssh_authorized_keys: authorizedKeys,
    bootcmd: [["cloud-init-per", "instance", "comfyui-hold-ssh", "systemctl", "mask", "--now", "--runtime", "ssh.service", "ssh.socket"]],
    ssh_deletekeys: true,
    ssh_genkeytypes: ["ed25519"],
    write_files: [{ path: SCRIPT, permissions: "0755", content: firstBootScript() }],
    runcmd: [["bash", SCRIPT, region, secret]],
  };
  return `#cloud-config\n${JSON.stringify(config)}\n`;
}

/** As EC2 takes it: compressed, in base64. Equal settings give equal text. */
export function userDataBase64(boot: FirstBoot): string {
  const packed = gzipSync(cloudConfig(boot), { level: 9 });
  packed[9] = 255; // the kind of machine that packed it: unknown
  if (packed.length > USER_DATA_LIMIT) throw new Error(`user data has ${packed.length} bytes, EC2 takes ${USER_DATA_LIMIT}`);
  return packed.toString("base64");
}

/** Without comments and empty lines. */
function firstBootScript(): string {
  const text = readFileSync(new URL("../hosts/aws/first-boot.sh", import.meta.url), "utf8");
  const [first = "", ...lines] = text.split("\n");
  return [first, ...lines.filter((line) => !/^\s*(#|$)/.test(line))].join("\n") + "\n";
}
