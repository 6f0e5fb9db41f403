/** Configurations with machines of every kind; keys are made anew for each run, so none of them is ever of use. */
import { newSigningKey } from "../../infra/config/signing-key.ts";
import { publicLineOf } from "../../infra/ssh/host-key.ts";
import { privateKey } from "./in-process-ssh.ts";

export const secrets = {
  build: privateKey(),
  cache: privateKey(),
  builder: privateKey(),
  jump: privateKey(),
  signing: newSigningKey("test-1"),
  password: "correct-horse-battery",
};

const machine = (host: string, key: string) => ({ host, hostKey: publicLineOf(privateKey()), privateKey: key, admin: "root" });

/** A build host, a cache host and two builders, the first behind a jump host; all set up by `up`. */
export const remoteConfig = {
  buildHost: { kind: "ssh", ...machine("build.example", secrets.build), jump: { ...jumpHost(), privateKey: secrets.jump } },
  binaryCache: {
    kind: "nix-serve",
    name: "team",
    host: machine("cache.example", secrets.cache),
    signingKey: secrets.signing,
    auth: { user: "reader", password: secrets.password },
  },
  builders: { kind: "ssh", hosts: ["b1.example", "b2.example"].map((host) => ({ ...machine(host, secrets.builder), admin: "debian", systems: ["x86_64-linux"] })) },
};

function jumpHost() {
  return { host: "jump.example", port: 2222, user: "gate", hostKey: publicLineOf(privateKey()) };
}
