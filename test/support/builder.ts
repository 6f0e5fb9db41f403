/** A remote builder of Nix's in a sandbox, at 127.0.0.1: an empty store behind an sshd. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { EMPTY_STORE, Sandbox } from "./sandbox.ts";
import { SshServer } from "./ssh-server.ts";

export interface Builder extends AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly ssh: SshServer;
  /** The environment in which a machine hands its builds to this one; `jobs`: how many it runs itself at once. */
  environment(client: Sandbox, jobs: number): Readonly<Record<string, string>>;
}

export async function startBuilder(): Promise<Builder> {
  const sandbox = await Sandbox.create({ store: EMPTY_STORE, at: "/tmp/comfyui-builder" });
  await sandbox.bash("nix-store --init");
  const ssh = await SshServer.start(sandbox);
  return {
    sandbox,
    ssh,
    environment(client, jobs) {
      mkdirSync(client.host("builder"), { recursive: true });
      writeFileSync(client.host("builder/key"), ssh.privateKey);
      chmodSync(client.host("builder/key"), 0o600);
      writeFileSync(client.host("builder/known_hosts"), `[127.0.0.1]:${ssh.port} ${ssh.hostKey}\n`);
      const folder = `${client.root}/builder`;
      return {
        NIX_SSHOPTS: `-p ${ssh.port} -i ${folder}/key -o UserKnownHostsFile=${folder}/known_hosts -o BatchMode=yes`,
        NIX_CONFIG: `${client.env["NIX_CONFIG"]}\nbuilders = ssh-ng://root@127.0.0.1 x86_64-linux - 2 1 - -\nmax-jobs = ${jobs}\n`,
      };
    },
    async [Symbol.asyncDispose]() {
      await sandbox.stop();
    },
  };
}
