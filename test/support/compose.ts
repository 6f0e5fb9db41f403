/** Docker Compose of a later Debian release than the machine's, which has none of today's. */
import { join } from "node:path";
import { unpackDebian } from "./debian-packages.ts";
import { once } from "./test-cache.ts";

const SUITE = "forky";

/** The program: `docker-compose --file FILE config`. */
export async function dockerCompose(): Promise<string> {
  const folder = await once(`compose-${SUITE}`, async (partial) => {
    await unpackDebian(SUITE, ["docker-compose"], () => false, partial);
  });
  return join(folder, "root/usr/libexec/docker/cli-plugins/docker-compose");
}
