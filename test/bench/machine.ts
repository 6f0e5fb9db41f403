/** What the figures were measured on. */
import { cpus, release, totalmem } from "node:os";
import { run } from "../support/process.ts";
import type { Machine } from "./report.ts";

/** The first line that a program says of its version. */
async function version(command: string, ...args: readonly string[]): Promise<string> {
  return (await run(command, args)).stdout.split("\n")[0] ?? "";
}

export async function describeMachine(): Promise<Machine> {
  return {
    processor: `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} cores`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: `Linux ${release()}`,
    Node: process.version,
    Pulumi: await version("pulumi", "version"),
    Nix: await version("nix", "--version"),
    skopeo: await version("skopeo", "--version"),
    Docker: await version("docker", "--version"),
    zstd: await version("zstd", "--version"),
    tar: await version("tar", "--version"),
  };
}
