/** What the ready-to-paste texts are made from: where the image is, and what a container of it needs. */
import type { ImageAnswer } from "../answers.ts";

export interface Runnable {
  /** The name by which an engine knows the image: HOST/NAME@sha256:…, or the one it has after `load`. */
  readonly image: string;
  /** The image's tag, for people. */
  readonly tag: string;
  /** Where no registry has it: the command that loads it into Docker and prints its name, and where skopeo finds it; `several`: there it is an index over several images. */
  readonly folder?: { readonly load: string; readonly reference: string; readonly several: boolean };
  /** The container gets the machine's NVIDIA GPUs. */
  readonly gpu: boolean;
}

export interface Flavored {
  readonly flavor: string;
  readonly compression: string;
  readonly gpu: boolean;
}

/** Facts of the image itself, as layers/layer6-app/runtime/default.nix has them. */
export const container = {
  port: 8188,
  /** Everything that the program writes, but for what is temporary. */
  volume: "/data",
  /** A user of the image's; any other will do as well. */
  user: 1000,
  health: { command: "comfyui-health", intervalSeconds: 30, timeoutSeconds: 10, startSeconds: 120, retries: 3 },
} as const;

/** From a publish's answer. A registry's image is named by digest: it stays what it is, whoever moves the tag. */
export function runnable({ reference, tag, digest, images }: Pick<ImageAnswer, "reference" | "tag" | "digest" | "images">, { flavor, compression, gpu }: Flavored): Runnable {
  const [, repository] = /^docker:\/\/(.+):[^:/]+$/.exec(reference) ?? [];
  if (repository !== undefined) return { image: `${repository}@${digest}`, tag, gpu };
  const options = [...(flavor === "sample" ? [] : ["--flavor", flavor]), ...(compression === "zstd" ? [] : ["--compression", compression])];
  const load = ["nix run path:./layers#load", ...(options.length > 0 ? ["--", ...options] : [])].join(" ");
  return { image: `comfyui:${flavor}`, tag, gpu, folder: { load, reference, several: images !== undefined } };
}
