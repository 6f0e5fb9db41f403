/** Where secrets could have got to: every text that a stack leaves behind, and the parts of secrets to look for in them. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { HostMachine } from "./host-machine.ts";
import type { Sandbox } from "./sandbox.ts";

/** What no text may hold: a key's lines one by one, also as JSON and base64 write them. */
export function secretLines(secrets: readonly string[]): string[] {
  const lines = secrets.flatMap((secret) => secret.split("\n")).map((line) => line.replace(/^[a-z0-9-]+:/, ""));
  const secret = lines.filter((line) => line.length >= 10 && !line.startsWith("-----"));
  return [...new Set(secret.flatMap((line) => [line, Buffer.from(line).toString("base64").replace(/=+$/, "").slice(0, -1)]))];
}

type Texts = Map<string, string>;

/** The exported state, the stack's file, backend, event logs and what the program wrote itself. */
export async function textsOfLaptop(laptop: Sandbox): Promise<Texts> {
  const { stdout } = await laptop.run("pulumi", ["stack", "export"]);
  const patterns = ["stacks/*", ".local/backend/.pulumi/**", ".local/upload/*", "../tmp/**"];
  const files = globSync(patterns, { cwd: laptop.host(), withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map([["the exported state", stdout], ...files.map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name), "utf8")] as const)]);
}

/** A host's logs, the stack's records there, and the command lines of what runs now. */
export async function textsOfHost(machine: HostMachine): Promise<Texts> {
  const folders = "/var/log /run/test-units /home/*/comfyui/*/.local/host /nix/comfyui/comfyui/*/.local/host";
  const { stdout } = await machine.bash(
    `find $(ls -d ${folders} 2>/dev/null || :) -type f ! -path '*/source/*' -exec sh -c 'for file; do printf "\\n@@ %s\\n" "$file"; cat "$file"; done' sh {} +; printf '\\n@@ ps\\n'; ps -eww -o args`,
  );
  const parts = stdout.split(/^@@ (.*)$/m).slice(1);
  return new Map(parts.flatMap((name, at) => (at % 2 === 0 ? [[name, parts[at + 1] ?? ""] as const] : [])));
}
