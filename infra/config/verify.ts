/** The section of the configuration for trying the image where it was published. */
import { z } from "zod";
import type { Fault } from "../faults.ts";
import { checked } from "./checked.ts";
import type { Sections } from "./cross-faults.ts";

const DEFAULT_ENGINE = { kind: "engine", address: "unix:///var/run/docker.sock" } as const;

const dockerAddress = checked(
  "CONFIG_DOCKER_ADDRESS",
  "unix:///PATH or ssh://USER@HOST[:PORT]",
  (text) => /^(unix:\/\/(\/[A-Za-z0-9._+-]+)+|ssh:\/\/[a-z_][a-z0-9_-]*@[A-Za-z0-9.-]+(:[0-9]{1,5})?)$/.test(text),
  "this is no address of a Docker engine",
);

/**
 * Whether the published image is tried. `container`: a Docker engine pulls it from the registry by its digest and runs the smoke
 * tests of layers.json in a container; `up` fails where they do. Runs for each new digest; where nothing changed, nothing runs.
 * `destroy` takes container and image away. Default: none. Re-runs no layer.
 */
export const verify = z
  .discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("none") }),
    z.strictObject({
      kind: z.literal("container"),
      /**
       * The engine. `engine`: that of an address; the login to the registry is that of this machine's `docker login`.
       * `build-host`: that of the stack's build host, which logs in by itself: on EC2 by its role, elsewhere by its own
       * `docker login`. It is reached as the host's `admin` (else its `user`), who may use Docker, with the SSH agent's keys.
       */
      docker: z
        .discriminatedUnion("kind", [z.strictObject({ kind: z.literal("engine"), address: dockerAddress.default(DEFAULT_ENGINE.address) }), z.strictObject({ kind: z.literal("build-host") })])
        .default(DEFAULT_ENGINE),
      /** The container gets the machine's NVIDIA GPUs, by NVIDIA's Container Toolkit, and has to see them. Default: false. */
      gpu: z.boolean().default(false),
    }),
  ])
  .default({ kind: "none" });

export type VerifyConfig = Extract<z.output<typeof verify>, { kind: "container" }>;

/** What no value of the section shows by itself. */
export function verifyFaults({ verify, registry, buildHost, aws }: Sections): Fault[] {
  if (verify?.kind !== "container") return [];
  return [
    ...(registry?.kind === "oci-directory" ? [{ code: "CONFIG_VERIFY_REGISTRY" as const, where: "comfyui:verify.kind", problem: "no engine can pull an image that lies in a folder", found: "container, with registry.kind oci-directory" }] : []),
    ...(verify.docker.kind === "build-host" ? buildHostFaults(verify, buildHost, aws) : []),
  ];
}

function buildHostFaults({ gpu }: VerifyConfig, buildHost: Sections["buildHost"], aws: Sections["aws"]): Fault[] {
  const fault = (problem: string, found: string, expected: string): Fault => ({ code: "CONFIG_VERIFY_HOST", where: "comfyui:verify.docker.kind", problem, found, expected });
  if (buildHost?.kind === "local") return [fault("the machine that runs pulumi is named by its engine's address", "build-host, with buildHost.kind local", "engine")];
  if (buildHost?.kind === "ssh") {
    // Docker's own way over SSH is the program ssh, which is given neither.
    return [
      ...(buildHost.privateKey === undefined ? [] : [fault("Docker on the build host is reached with the SSH agent's keys only", "buildHost.privateKey", "the key in the SSH agent, or docker.kind: engine")]),
      ...(buildHost.jump === undefined ? [] : [fault("Docker on the build host is not reached through another host", "buildHost.jump", "docker.kind: engine")]),
    ];
  }
  if (buildHost?.kind !== "ec2") return [];
  return [
    ...(aws?.login.privateKey === undefined ? [] : [fault("Docker on the build host is reached with the SSH agent's keys only", "aws.login.privateKey", "the key in the SSH agent")]),
    ...(buildHost.gpu || buildHost.ami !== undefined ? [] : [fault("Debian's image, which this host starts from, has no Docker", "a build host without gpu and ami", "gpu: true, or an ami that has Docker")]),
    ...(gpu && !buildHost.gpu ? [{ code: "CONFIG_VERIFY_GPU" as const, where: "comfyui:verify.gpu", problem: "the build host has no GPU for the container", found: "true, with buildHost.gpu false" }] : []),
  ];
}
