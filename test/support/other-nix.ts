/**
 * Other Nix versions than the project's own: those of Debian 12 (2.8), 13 (2.26) and sid (2.34 or newer), each in a folder of its own,
 * unpacked as set-up does it where a machine's own is too old.
 */
import { join } from "node:path";
import { CHECKOUT } from "./checkout.ts";
import { run } from "./process.ts";
import { once } from "./test-cache.ts";

export type Suite = "bookworm" | "trixie" | "sid";

/** This PATH with a Nix that opens buckets, which most machines' own does not: Debian's do from 2.34 on. */
export async function withBucketNix(path = ""): Promise<string> {
  return `${await otherNix("sid")}:${path}`;
}

/** The folder with `nix`, `nix-build` and so on, to put in front of PATH. */
export async function otherNix(suite: Suite = "trixie"): Promise<string> {
  const script = join(CHECKOUT, "infra/setup/debian-nix.sh");
  const folder = await once(`nix-${suite}`, async (partial, final) => {
    await run("bash", [script, suite, partial, final]);
  });
  await run(join(folder, "bin/nix"), ["--version"]);
  return join(folder, "bin");
}
