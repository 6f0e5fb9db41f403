/** dockerd and containerd of a later Debian release than the machine's (23 or newer, which reads zstd layers); runc is the machine's. */
import { join } from "node:path";
import { unpackDebian } from "./debian-packages.ts";
import { once } from "./test-cache.ts";

const SUITE = "forky";

/** The folders to put in front of PATH. */
export async function newerDocker(): Promise<string[]> {
  const folder = await once(`docker-${SUITE}`, async (partial) => {
    await unpackDebian(SUITE, ["docker.io", "containerd"], () => false, partial);
  });
  return ["usr/sbin", "usr/bin"].map((path) => join(folder, "root", path));
}
