/** What is expensive to make and the same for every run: kept outside the checkout, so that a later run finds it again. */
import { spawn } from "node:child_process";
import { once as event } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CHECKOUT } from "./checkout.ts";
import { using } from "./cleanup.ts";

export function testCache(): string {
  return process.env.COMFYUI_TEST_CACHE ?? "/var/cache/comfyui-test";
}

/** What set-up keeps for all checkouts, this one and those that tests make: programs by version, and the layers' files. */
export function downloads(): string {
  return process.env.COMFYUI_DOWNLOADS ?? join(CHECKOUT, ".local/downloads");
}

/** An exclusive lock that ends with this process, however it ends: its holder reads from a pipe of ours. */
export async function lock(file: string): Promise<{ stop(): Promise<void> }> {
  await mkdir(dirname(file), { recursive: true });
  const holder = spawn("flock", [file, "sh", "-c", "echo locked && exec cat"], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = event(holder, "exit");
  const locked = await Promise.race([event(holder.stdout, "data").then(() => true), ended.then(() => false)]);
  if (!locked) throw new Error(`flock could not lock ${file}`);
  return {
    async stop() {
      holder.stdin.end();
      await ended;
    },
  };
}

/** Removes what `folder` has replaced (the same first word in its name) and nothing has used for 30 days: stores of old locks. */
async function removeUnused(folder: string): Promise<void> {
  const [kind] = basename(folder).split("-");
  for (const name of (await readdir(dirname(folder))).filter((each) => each.split("-")[0] === kind)) {
    const beside = join(dirname(folder), name);
    if ((await stat(beside)).mtimeMs < Date.now() - 30 * 24 * 3600_000) await rm(beside, { recursive: true, force: true });
  }
}

/**
 * The folder `name` under `parent` (default: the test cache), made by `make` if it is not there. Two runs never make it
 * together, and one cut short leaves nothing that looks complete: `make` fills a folder that gets its name at the end.
 */
export async function once(
  name: string,
  make: (folder: string, final: string) => Promise<void>,
  parent: string = testCache(),
): Promise<string> {
  const final = join(parent, name);
  const partial = `${final}.partial`;
  await using(await lock(join(parent, `${name.replaceAll("/", "-")}.lock`)), async () => {
    if (existsSync(final)) return;
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    await make(partial, final);
    await rename(partial, final);
    await removeUnused(final);
  });
  // The time of last use.
  const now = new Date();
  await utimes(final, now, now);
  return final;
}
