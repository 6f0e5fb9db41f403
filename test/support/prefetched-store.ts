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

const flavor = "sample";

/** What decides which files prefetch.sh puts into the store, and how. */
const DECIDES = new RegExp(`^(layers/(locks/${flavor}/|package-sets/debian/(debs/|build\\.lock))|infra/hosts/(prefetch|debian-apt|git-tree|common)\\b)`);

async function lockKey(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of (await projectFiles(CHECKOUT)).filter((each) => DECIDES.test(each)).sort()) {
    const content = await readFile(join(CHECKOUT, file));
    hash.update(`${file} ${(await stat(join(CHECKOUT, file))).mode & 0o100} ${content.length}\n`).update(content);
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

async function prefetch(sandbox: Sandbox, target: string): Promise<void> {
  await mkdir(downloads(), { recursive: true });
  const { stdout } = await sandbox.run("bash", ["infra/hosts/prefetch.sh"], {
    input: JSON.stringify({ protocol, flavor, relock: true }),
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

export async function prefetchedStore(): Promise<Store> {
  const name = `prefetched/${flavor}-${await lockKey()}`;
  const folder = await once(name, async (partial) => {
    const sandbox = await Sandbox.create({ store: EMPTY_STORE, parent: partial });
    await using(sandbox, () => prefetch(sandbox, partial));
    await run("rm", ["-rf", join(partial, "snapshot")]);
  });
  return { lower: [join(folder, "nix")], files: join(folder, "files") };
}
