/**
 * The programs that serve a cache in the tests. They are in no package registry, so that stand-ins of the tests' own take their
 * places (cache-stand-in/), with the same command lines and settings, unless COMFYUI_CACHE_SERVERS names a folder with the real ones:
 *
 *     FOLDER/harmonia/bin/harmonia-cache   harmonia 3.0 or newer; also runs on this machine
 *     FOLDER/nix-serve/bin/nix-serve       the original one, in Perl; apt's starman is installed for it
 *
 * Each of the two folders is laid over /usr/local of a Debian 13 host, with whatever else its server needs.
 */
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CHECKOUT } from "./checkout.ts";
import type { HostMachine } from "./host-machine.ts";

export type Server = "nix-serve" | "harmonia";

const PROGRAMS = {
  "nix-serve": { program: "nix-serve", packages: ["starman"] },
  harmonia: { program: "harmonia-cache", packages: [] },
} as const;

const VARIABLE = "COMFYUI_CACHE_SERVERS";
const STAND_INS = "test/support/cache-stand-in";
/** Where a host has them. */
const LIB = "/usr/local/lib/cache-stand-in";

/** The folder with the real servers; undefined where stand-ins are to serve. */
const given = (): string | undefined => process.env[VARIABLE] || undefined;

/** Throws, naming all that is lacking, where the real servers are not there: before what only they can show. */
export function needRealServers(): void {
  const folder = given();
  if (folder === undefined) throw new Error(`${VARIABLE} is not set: the folder with the real cache servers; how it looks is said in test/support/cache-servers.ts`);
  const programs = Object.entries(PROGRAMS).map(([server, { program }]) => join(folder, server, "bin", program));
  const lacking = programs.filter((program) => !existsSync(program));
  if (lacking.length > 0) throw new Error(`${VARIABLE}: no ${lacking.join(", no ")}; how the folder looks is said in test/support/cache-servers.ts`);
}

/** What is laid over /usr/local for a real server; undefined where a stand-in is to serve. */
function realServer(server: Server): string | undefined {
  const folder = given();
  if (folder === undefined) return undefined;
  needRealServers();
  return join(folder, server);
}

/** Puts the server's program where a host has what its administrator installed; answers its path. */
export async function installServer(machine: HostMachine, server: Server): Promise<string> {
  const { program, packages } = PROGRAMS[server];
  const path = `/usr/local/bin/${program}`;
  const owned = ["--owner=0", "--group=0", "--mode=u=rwX,go=rX"];
  const real = realServer(server);
  if (real !== undefined) {
    if (packages.length > 0) await machine.bash(`apt-get update -qq && apt-get install -qq -y --no-install-recommends ${packages.join(" ")}`);
    await machine.copyIn("/usr/local", [...owned, "-C", real, "."]);
    return path;
  }
  // Node.js as this process has it, without a package of its own there.
  const node = realpathSync(process.execPath);
  await machine.copyIn(LIB, [...owned, "-C", dirname(node), basename(node), "-C", join(CHECKOUT, STAND_INS), "."]);
  const launcher = `#!/bin/sh\nexec ${LIB}/${basename(node)} --no-warnings ${LIB}/${program}.ts "$@"\n`;
  await machine.bash(`cat >${path} && chmod 755 ${path} && ${LIB}/${basename(node)} --version`, { input: launcher });
  return path;
}

/** harmonia's command line in a sandbox whose project is seen at `root`. */
export function harmoniaCommand(root: string): [program: string, ...args: string[]] {
  const real = realServer("harmonia");
  return real === undefined ? ["node", "--no-warnings", join(root, STAND_INS, "harmonia-cache.ts")] : [join(real, "bin", PROGRAMS.harmonia.program)];
}
