/**
 * Another Nix than the project's own: that of Debian 13 (2.26) or 12 (2.8), with its C library and all others, in a private folder. Its
 * loader and library paths are set with the bundle's patchelf, so it runs on any release and touches nothing of the machine's.
 */
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { CHECKOUT } from "./checkout.ts";
import { unpackDebian } from "./debian-packages.ts";
import { run } from "./process.ts";
import { once } from "./test-cache.ts";

export type Suite = "bookworm" | "trixie";
const COMMANDS = ["nix-build", "nix-collect-garbage", "nix-daemon", "nix-env", "nix-hash", "nix-instantiate", "nix-store"];

/** Nix's own libraries and those below them, not what only its package's scripts or its login daemons want. */
function isLibrary(name: string): boolean {
  return /^(lib|zlib1g$)/.test(name) && !/perl|^lib(pam|systemd|semanage|deb|gdbm)|-common$/.test(name);
}

/** The static patchelf of the bundle. */
export async function patchelf(): Promise<string> {
  const toolchain = join(CHECKOUT, ".local/toolchain");
  const folders = existsSync(toolchain) ? await readdir(toolchain) : [];
  const found = folders.map((folder) => join(toolchain, folder, "libexec/patchelf")).find((file) => existsSync(file));
  if (found === undefined) throw new Error(`no patchelf under ${toolchain}/nix-*/libexec: the bundle's Nix is not set up`);
  return found;
}

/** Every folder below `root` that holds shared libraries. */
async function libraryFolders(root: string): Promise<string[]> {
  const { stdout } = await run("find", [root, "-name", "*.so*", "-printf", "%h\n"]);
  return [...new Set(stdout.trim().split("\n"))].filter((folder) => /\/(x86_64-linux-gnu(\/nix)?|usr\/lib\/nix)$/.test(folder));
}

async function make(suite: Suite, partial: string, final: string): Promise<void> {
  await unpackDebian(suite, ["nix-bin"], isLibrary, partial);
  await mkdir(join(partial, "bin"));
  const program = join(partial, "bin/nix");
  await copyFile(join(partial, "root/usr/bin/nix"), program);
  const folders = (await libraryFolders(join(partial, "root"))).map((folder) => folder.replace(partial, final));
  const { stdout: loader } = await run("find", [join(partial, "root"), "-name", "ld-linux-x86-64.so.2", "-type", "f"]);
  const interpreter = loader.trim().replace(partial, final);
  await run(await patchelf(), ["--force-rpath", "--set-rpath", folders.join(":"), "--set-interpreter", interpreter, program]);
  // Where Nix's own libraries are apart (2.8), they look for the others by themselves.
  const own = (await run("find", [join(partial, "root/usr/lib"), "-path", "*/usr/lib/nix/*.so"])).stdout.trim();
  if (own !== "") await run(await patchelf(), ["--force-rpath", "--set-rpath", folders.join(":"), ...own.split("\n")]);
  for (const command of COMMANDS) await symlink("nix", join(partial, "bin", command));
}

/** The folder with `nix`, `nix-build` and so on, to put in front of PATH. */
export async function otherNix(suite: Suite = "trixie"): Promise<string> {
  const folder = await once(`nix-${suite}`, (partial, final) => make(suite, partial, final));
  await run(join(folder, "bin/nix"), ["--version"]);
  return join(folder, "bin");
}
