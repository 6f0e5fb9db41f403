/** The real checkout that the tests belong to: what a sandbox copies from it, and what it shares with it. */
import { existsSync, lstatSync } from "node:fs";
import { copyFile, cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Bind } from "./namespace.ts";
import { run } from "./process.ts";

export const CHECKOUT = resolve(import.meta.dirname, "../..");

/** Variables of the surrounding shell that would make a sandbox behave unlike a fresh machine of this kind. */
const NOT_INHERITED = [
  /^(PULUMI_|NIX_|XDG_|DOCKER_)/,
  /^COMFYUI_(?!DEBIAN_MIRROR$)/,
  /^(NODE_OPTIONS|NODE_TEST_CONTEXT|REGISTRY_AUTH_FILE|TMPDIR|PWD|OLDPWD)$/,
];

/** The machine's environment, as it is before `. .local/env.sh`. */
export function machineEnvironment(checkout: string): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => !NOT_INHERITED.some((pattern) => pattern.test(name)));
  const path = (process.env.PATH ?? "").split(":").filter((folder) => !folder.startsWith(`${checkout}/`));
  return { ...(Object.fromEntries(own) as Record<string, string>), PATH: path.join(":") };
}

/** The project's files: all that git tracks or would add. */
export async function projectFiles(checkout: string): Promise<string[]> {
  const { stdout } = await run("git", ["-C", checkout, "ls-files", "-coz", "--exclude-standard"]);
  const exists = (file: string) => lstatSync(join(checkout, file), { throwIfNoEntry: false }) !== undefined;
  return [...new Set(stdout.split("\0"))].filter((file) => file !== "" && exists(file));
}

export async function copyProject(checkout: string, target: string): Promise<void> {
  for (const file of await projectFiles(checkout)) {
    await mkdir(dirname(join(target, file)), { recursive: true });
    await cp(join(checkout, file), join(target, file), { verbatimSymlinks: true });
  }
}

/** The environment that `. .local/env.sh` makes in the checkout, as it would be if the checkout lay at `root`. */
export async function projectEnvironment(checkout: string, root: string): Promise<Record<string, string>> {
  const base = machineEnvironment(checkout);
  const { stdout } = await run("sh", ["-c", '. "$0" && env -0', join(checkout, ".local/env.sh")], { env: base, cwd: checkout });
  const pairs = stdout.split("\0").filter((pair) => pair !== "");
  const env = pairs.map((pair): [string, string] => {
    const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
    return [name, base[name] === value ? value : moved(value, checkout, root)];
  });
  return Object.fromEntries(env);
}

function moved(text: string, from: string, to: string): string {
  const literal = from.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return text.replace(new RegExp(`${literal}(?![\\w.-])`, "g"), to);
}

async function entries(folder: string): Promise<string[]> {
  return existsSync(folder) ? readdir(folder) : [];
}

/**
 * Gives a sandbox's project folder a .local of its own: the tools are the checkout's, read-only; the rest is fresh.
 * Answers which mounts that takes; `root` is where the project folder will be seen.
 */
export async function shareTools(checkout: string, project: string, root: string): Promise<Bind[]> {
  if (!existsSync(join(checkout, ".local/env.sh"))) throw new Error("no .local/env.sh: run 'bash infra/setup.sh --tests' first");
  const plugins = (await entries(join(checkout, ".local/pulumi/plugins"))).map((name) => `.local/pulumi/plugins/${name}`);
  // What .local/bin links to: within the checkout, where COMFYUI_DOWNLOADS names no other folder.
  const shared = ["node_modules", ".local/bin", ".local/downloads/tools", ".local/pulumi-cli", ...plugins];
  const binds: Bind[] = [];
  for (const path of shared.filter((each) => existsSync(join(checkout, each)))) {
    if (lstatSync(join(checkout, path)).isDirectory()) {
      await mkdir(join(project, path), { recursive: true });
      binds.push({ from: join(checkout, path), to: join(root, path), writable: false });
    } else {
      await mkdir(dirname(join(project, path)), { recursive: true });
      await copyFile(join(checkout, path), join(project, path));
    }
  }
  await mkdir(join(project, ".local/backend"), { recursive: true });
  await copyFile(join(checkout, ".local/passphrase"), join(project, ".local/passphrase"));
  const env = await readFile(join(checkout, ".local/env.sh"), "utf8");
  await writeFile(join(project, ".local/env.sh"), moved(env, checkout, root));
  return binds;
}
