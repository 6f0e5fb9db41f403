/**
 * Packages of another Debian release, unpacked into a private folder: the machine's own apt settings and its installed
 * packages are not touched. The mirror is the machine's own, and its signatures are checked with Debian's keyring.
 */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./process.ts";

export const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** The mirror that this machine's own apt uses. */
export async function mirror(): Promise<string> {
  const given = process.env.COMFYUI_DEBIAN_MIRROR;
  if (given) return given;
  const query = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"];
  const [first] = (await run("apt-get", query)).stdout.split("\n");
  if (!first) throw new Error("apt knows no Debian mirror: run 'apt-get update', or set COMFYUI_DEBIAN_MIRROR");
  return first;
}

/** apt options for one release, with an empty list of installed packages, all state in `folder`. */
async function privateApt(suite: string, folder: string): Promise<string[]> {
  for (const name of ["lists/partial", "cache/archives/partial"]) await mkdir(join(folder, name), { recursive: true });
  await writeFile(join(folder, "status"), "");
  await writeFile(join(folder, "sources.list"), `deb [arch=amd64 signed-by=${KEYRING}] ${await mirror()} ${suite} main\n`);
  return [
    `Dir::Etc::SourceList=${folder}/sources.list`,
    "Dir::Etc::SourceParts=/dev/null",
    "Dir::Etc::Preferences=/dev/null",
    "Dir::Etc::PreferencesParts=/dev/null",
    `Dir::State::Lists=${folder}/lists`,
    `Dir::State::status=${folder}/status`,
    `Dir::Cache=${folder}/cache`,
    "APT::Architecture=amd64",
    "APT::Architectures=amd64",
    "APT::Sandbox::User=root",
    "APT::Install-Recommends=false",
    "Acquire::Languages=none",
    "Acquire::Retries=3",
  ].map((option) => `-o${option}`);
}

/**
 * Unpacks the packages and those of their dependencies that `wanted` accepts into `folder/root`; answers NAME=VERSION of
 * each, and keeps that list beside it.
 */
export async function unpackDebian(
  suite: string,
  packages: readonly string[],
  wanted: (dependency: string) => boolean,
  folder: string,
): Promise<string[]> {
  const apt = await privateApt(suite, join(folder, "apt"));
  const [downloads, root] = [join(folder, "debs"), join(folder, "root")];
  await mkdir(downloads, { recursive: true });
  await mkdir(root, { recursive: true });
  await run("apt-get", [...apt, "-q", "--error-on=any", "update"], { timeout: 5 * 60_000 });
  const plan = await run("apt-get", [...apt, "-s", "install", ...packages]);
  // Lines like "Inst libfoo1 (1.2-3 Debian:13/stable [amd64])".
  const all = [...plan.stdout.matchAll(/^Inst (\S+) \((\S+) /gm)].map(([, name = "", version = ""]) => ({ name, version }));
  const chosen = all.filter(({ name }) => packages.includes(name) || wanted(name)).map(({ name, version }) => `${name}=${version}`);
  await run("apt-get", [...apt, "-q", "download", ...chosen], { cwd: downloads, timeout: 10 * 60_000 });
  for (const deb of await readdir(downloads)) await run("dpkg-deb", ["-x", join(downloads, deb), root]);
  await writeFile(join(folder, "packages"), `${chosen.join("\n")}\n`);
  await run("rm", ["-rf", join(folder, "apt"), downloads]);
  return chosen;
}
