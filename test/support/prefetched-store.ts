/**
 * The store that cold tests start from: exactly what the real prefetch.sh puts there, nothing built. Made once for the
 * content of the locks, and kept in the test cache.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { protocol } from "../../infra/request.ts";
import { CHECKOUT, projectFiles } from "./checkout.ts";
import { using } from "./cleanup.ts";
import { run } from "./process.ts";
import { EMPTY_STORE, Sandbox, type Store } from "./sandbox.ts";
import { downloads, once } from "./test-cache.ts";

/** What decides which files prefetch.sh puts into the store, and how. */
function decides(flavor: string): RegExp {
  return new RegExp(`^(layers/(locks/${flavor}/|package-sets/debian/(debs/|build\\.lock))|infra/hosts/(prefetch|git-tree|common)\\b)`);
}

async function lockKey(checkout: string, flavor: string): Promise<string> {
  const hash = createHash("sha256").update(`${flavor}\n`);
  for (const file of (await projectFiles(checkout)).filter((each) => decides(flavor).test(each)).sort()) {
    const content = await readFile(join(checkout, file));
    hash.update(`${file} ${(await stat(join(checkout, file))).mode & 0o100} ${content.length}\n`).update(content);
  }
  return hash.digest("hex").slice(0, 16);
}

/**
 * What prefetch.sh leaves in the project: the lock that it made anew where the mirror no longer has a locked file (git
 * ignores it, the store needs it), and the roots that keep the files through a garbage collection.
 */
async function keepFiles(sandbox: Sandbox, target: string): Promise<void> {
  for (const path of ["layers/package-sets/debian/debs/relocked.json", ".local/host/roots"]) {
    if (!existsSync(sandbox.host(path))) continue;
    await mkdir(dirname(join(target, path)), { recursive: true });
    await cp(sandbox.host(path), join(target, path), { recursive: true, verbatimSymlinks: true });
  }
}

async function prefetch(sandbox: Sandbox, flavor: string, given: readonly string[], target: string): Promise<void> {
  await mkdir(downloads(), { recursive: true });
  const { stdout } = await sandbox.run("bash", ["infra/hosts/prefetch.sh"], {
    input: JSON.stringify({ protocol, flavor, relock: true, given }),
    // How this machine reaches its package indexes may be written in its user's home.
    env: { HOME: process.env.HOME ?? "/root" },
    timeout: 30 * 60_000,
  });
  const { present, downloaded } = JSON.parse(stdout) as { present: number; downloaded: number };
  if (!(present + downloaded > 0)) throw new Error(`prefetch.sh put nothing into the store: ${stdout}`);
  await mkdir(join(target, "files"), { recursive: true });
  await keepFiles(sandbox, join(target, "files"));
  const snapshot = await sandbox.snapshot(join(target, "snapshot"));
  await rename(join(snapshot.folder, "upper"), join(target, "nix"));
}

/** `given`: files that nobody serves. */
export async function prefetchedStore(flavor = "sample", checkout = CHECKOUT, given: readonly string[] = []): Promise<Store> {
  const name = `prefetched/${flavor}-${await lockKey(checkout, flavor)}`;
  const folder = await once(name, async (partial) => {
    const sandbox = await Sandbox.create({ store: EMPTY_STORE, checkout, parent: partial });
    await using(sandbox, () => prefetch(sandbox, flavor, given, partial));
    await run("rm", ["-rf", join(partial, "snapshot")]);
  });
  return { lower: [join(folder, "nix")], files: join(folder, "files") };
}
