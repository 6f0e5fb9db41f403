/**
 * The state after a first `up`, made once for each run of the tests: most tests start from it, none changes it.
 * `COMFYUI_TEST_RUN` is the folder of the run (test/run.ts makes and removes it).
 */
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prefetchedStore } from "./prefetched-store.ts";
import { up } from "./pulumi.ts";
import { Sandbox, type SandboxOptions, Snapshot, type Store } from "./sandbox.ts";
import { once } from "./test-cache.ts";

/** A sandbox whose stack is up: seven layers built and in the cache, the image published. */
export async function warmSandbox(options: Omit<SandboxOptions, "store" | "at"> = {}): Promise<Sandbox> {
  return Sandbox.from(await warmSnapshot(), options);
}

async function warmSnapshot(): Promise<Snapshot> {
  const parent = process.env.COMFYUI_TEST_RUN ?? join(tmpdir(), `comfyui-test-run-${process.ppid}`);
  const folder = await once(
    "warm",
    async (partial, final) => {
      await using sandbox = await Sandbox.create({ store: await prefetchedStore() });
      await up(sandbox, { timeout: 20 * 60_000 });
      const snapshot = await sandbox.snapshot(join(partial, "snapshot"));
      const store: Store = { lower: snapshot.store.lower.map((layer) => layer.replace(partial, final)) };
      await writeFile(join(partial, "snapshot.json"), JSON.stringify({ folder: join(final, "snapshot"), store, at: snapshot.at }));
    },
    parent,
  );
  const { folder: files, store, at } = JSON.parse(await readFile(join(folder, "snapshot.json"), "utf8")) as Snapshot;
  return new Snapshot(files, store, at);
}
