import { z } from "zod";
import { type Fault, type FaultCode, throwFaults } from "./faults.ts";
import { aws, ecrRegistry } from "./config/aws.ts";
import { binaryCache, type NixServeConfig, type S3Config } from "./config/cache.ts";
import { projectPath, publicKey, repository, substituterUrl } from "./config/checked.ts";
import { awsFaults } from "./config/aws-faults.ts";
import { awsParts } from "./config/aws-parts.ts";
import { crossFaults, sections } from "./config/cross-faults.ts";
import { growth } from "./config/growth.ts";
import { builders, buildHost } from "./config/hosts.ts";
import { plainSecrets, showExceptSecrets } from "./config/secrets.ts";
import { verify } from "./config/verify.ts";
import { issueViews, type IssueView } from "./zod-faults.ts";

const keepOrDelete = z.enum(["keep", "delete"]);

/**
 * The whole configuration of a stack (keys `comfyui:…` in stacks/Pulumi.STACK.yaml).
 *
 * "Re-runs" says what a change of the value runs again; a re-run with nothing to build takes seconds.
 */
export const configSchema = z.strictObject({
  /**
   * What the layers hold, as data in layers/flavors/FLAVOR and layers/locks/FLAVOR. `sample`: a small program in ComfyUI's
   * place. `pypi`: ComfyUI, from Debian's packages and PyPI's wheels. `cu130`: ComfyUI with CUDA 13.0, over nixpkgs.
   * Default: the sample. Re-runs all layers (another content).
   */
  flavor: z.discriminatedUnion("kind", [z.strictObject({ kind: z.literal("sample") }), z.strictObject({ kind: z.literal("pypi") }), z.strictObject({ kind: z.literal("cu130") })]).default({ kind: "sample" }),
  /**
   * What the image is built for. Two systems make two images under one index, of which an engine takes the one for its machine. The
   * first is the build host's own, and its layers keep their resources' names; those of a further one are built by `builders`, or
   * by a build host that emulates it. Default: x86_64-linux. Another first system re-runs all layers (another content), a further
   * one is built beside them; both re-run the publish.
   */
  systems: z.array(z.enum(["x86_64-linux", "aarch64-linux"])).min(1, "one system or two").max(2, "one system or two").default(["x86_64-linux"]),
  /** How blobs are compressed: zstd (Docker 23 or newer) or gzip (every engine). Default: zstd. Re-runs all layers (other blobs). */
  compression: z
    .discriminatedUnion("kind", [z.strictObject({ kind: z.literal("zstd") }), z.strictObject({ kind: z.literal("gzip") })])
    .default({ kind: "zstd" }),
  aws,
  buildHost,
  builders,
  binaryCache,
  /**
   * Where the image goes. `oci-directory`: an OCI layout in a folder, relative to the project. `registry`: any OCI registry;
   * this host's own login (`skopeo login`) is used; `tls: false` is for a registry on a trusted network. `ecr`: a repository
   * that the stack makes. Re-runs the publish.
   */
  registry: z
    .discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("oci-directory"), path: projectPath }),
      z.strictObject({ kind: z.literal("registry"), repository, tls: z.boolean().default(true) }),
      ecrRegistry,
    ])
    .default({ kind: "oci-directory", path: ".local/images" }),
  growth,
  verify,
  /** Further binary caches, only read, asked before anything is built. Default: none. Re-runs all layers. */
  substituters: z.array(z.strictObject({ url: substituterUrl, publicKey })).default([]),
  /** What `pulumi destroy` does with what it could take away. Default: keep both. Re-runs no layer. */
  destroy: z
    .strictObject({ cache: keepOrDelete.default("keep"), image: keepOrDelete.default("keep") })
    .default({ cache: "keep", image: "keep" }),
});

/** As the stack's file says it. */
export type StackConfig = z.output<typeof configSchema>;

/** What the stack builds with: as the file says it, with plain addresses in place of what is made on AWS. */
export interface Config extends Omit<StackConfig, "aws" | "buildHost" | "builders" | "binaryCache" | "registry"> {
  readonly buildHost: Exclude<StackConfig["buildHost"], { kind: "ec2" }>;
  readonly builders: Exclude<StackConfig["builders"], { kind: "ec2" }>;
  readonly binaryCache: Exclude<StackConfig["binaryCache"], { kind: "nix-serve" | "s3" }> | NixServeConfig | S3Config;
  readonly registry: Exclude<StackConfig["registry"], { kind: "registry" | "ecr" }> | RemoteRegistry;
}

type RemoteRegistry = Extract<StackConfig["registry"], { kind: "registry" }> & {
  /** A tag that is put on the image beside its own, and moves to the next one. */
  readonly liveTag?: string;
  /** What the registry takes of one image: bytes of a layer, and layers. */
  readonly limits?: { readonly layerBytes: number; readonly layers: number };
};

export type BuildersConfig = Config["builders"];
export type BuildHostConfig = Config["buildHost"];
export type BinaryCacheConfig = Config["binaryCache"];
export type RegistryConfig = Config["registry"];

/** Reads `comfyui:…` keys as Pulumi gives them (JSON texts for objects and lists); other namespaces are not ours. */
export function configInput(all: Readonly<Record<string, string>>): Record<string, unknown> {
  const own = Object.entries(all).filter(([key]) => key.startsWith("comfyui:"));
  return Object.fromEntries(own.map(([key, text]) => [key.slice("comfyui:".length), jsonOrText(text)]));
}

/** The sections that Pulumi keeps encrypted, or a part of them, as it names them to the program (PULUMI_CONFIG_SECRET_KEYS). */
export function secretSections(env: NodeJS.ProcessEnv): (section: string) => boolean {
  const keys = z.array(z.string()).parse(JSON.parse(env["PULUMI_CONFIG_SECRET_KEYS"] ?? "[]"));
  return (section) => keys.includes(`comfyui:${section}`);
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export interface ParseOptions {
  /** Those of layers.json, where it could be read. */
  readonly flavors?: readonly string[] | undefined;
  /** Whether Pulumi keeps the section (a key `comfyui:…`), or a part of it, encrypted. */
  readonly isSecret: (section: string) => boolean;
}

/** Checks the whole configuration; throws one FaultError with everything that is wrong, and shows no secret in it. */
export function parseConfig(input: Record<string, unknown>, { flavors, isSecret }: ParseOptions): StackConfig {
  const result = configSchema.safeParse(input);
  const faults = result.success ? [] : issueViews(result.error, input, showExceptSecrets(isSecret)).map(configFault);
  const all = sections(configSchema, input);
  throwFaults([...faults, ...plainSecrets(input, isSecret), ...crossFaults(all, flavors), ...awsFaults(awsParts(all, input["aws"] !== undefined))]);
  return configSchema.parse(input);
}

const codeOfIssue: Partial<Record<IssueView["code"], FaultCode>> = {
  unrecognized_keys: "CONFIG_UNKNOWN_KEY",
  invalid_union: "CONFIG_KIND",
  invalid_value: "CONFIG_VALUE",
  too_small: "CONFIG_RANGE",
  too_big: "CONFIG_RANGE",
};

function configFault(view: IssueView): Fault {
  const missing = view.code === "invalid_type" && view.found === "nothing";
  const code = (view.custom as FaultCode | undefined) ?? (missing ? "CONFIG_MISSING" : (codeOfIssue[view.code] ?? "CONFIG_TYPE"));
  return { code, where: `comfyui:${view.path}`, problem: view.problem, found: view.found, expected: view.expected };
}
