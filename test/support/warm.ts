/**
 * The state after a first `up`, made once for each run of the tests: most tests start from it, none changes it.
 * `COMFYUI_TEST_RUN` is the folder of the run (test/run.ts makes and removes it).
 */
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prefetchedStore } from "./prefetched-store.ts";
import { up, type Update } from "./pulumi.ts";
import type { ResourceRun } from "./pulumi-events.ts";
import { Sandbox, Snapshot, type Store } from "./sandbox.ts";
import { once } from "./test-cache.ts";

/** A sandbox whose stack is up: seven layers built and in the cache, the image published. */
export async function warmSandbox(): Promise<Sandbox> {
  return Sandbox.from((await firstUp()).snapshot);
}

interface FirstUp {
  /** The state after it. */
  readonly snapshot: Snapshot;
  /** What the engine did. */
  readonly update: Omit<Update, "process">;
}

/** The first `up` of this run of the tests, on a store that has only the prefetched files. */
export async function firstUp(): Promise<FirstUp> {
  const parent = process.env["COMFYUI_TEST_RUN"] ?? join(tmpdir(), `comfyui-test-run-${process.ppid}`);
  const folder = await once("warm", makeFirstUp, parent);
  const { files, store, at, update } = JSON.parse(await readFile(join(folder, "first-up.json"), "utf8")) as FirstUpRecord;
  return { snapshot: new Snapshot(files, store, at), update: { ...update, resources: new Map(update.resources) } };
}

/** The form in which one test file finds what another has made. */
interface FirstUpRecord {
  readonly files: string;
  readonly store: Store;
  readonly at: string;
  readonly update: Omit<FirstUp["update"], "resources"> & { readonly resources: readonly [string, ResourceRun][] };
}

async function makeFirstUp(partial: string, final: string): Promise<void> {
  await using sandbox = await Sandbox.create({ store: await prefetchedStore() });
  const { process: _, ...update } = await up(sandbox, { timeout: 20 * 60_000 });
  const snapshot = await sandbox.snapshot(join(partial, "snapshot"));
  const record: FirstUpRecord = {
    files: join(final, "snapshot"),
    store: { lower: snapshot.store.lower.map((layer) => layer.replace(partial, final)) },
    at: snapshot.at,
    update: { ...update, resources: [...update.resources] },
  };
  await writeFile(join(partial, "first-up.json"), JSON.stringify(record));
}
