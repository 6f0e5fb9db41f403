/**
 * Fresh Debian systems as images, made by debootstrap and kept in the test cache: a server of Debian 13, as an installer leaves it, with
 * sshd; and a bare one of any release, as its container image is. They take packages as this machine does: from the same mirror, with
 * the same proxy, trusting the same certificates.
 */
import { existsSync } from "node:fs";
import { appendFile, cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KEYRING, mirror } from "./debian-packages.ts";
import type { Docker } from "./docker.ts";
import { run } from "./process.ts";
import { once } from "./test-cache.ts";

/** Beyond the base system: what Debian's images for clouds and servers have as well. */
const SERVER = ["ca-certificates", "openssh-server", "systemd", "systemd-sysv", "sudo", "iproute2", "procps"];
const OWN_CERTIFICATES = "/usr/local/share/ca-certificates";
/** Settings of proxies and package registries that this machine's programs are given. */
const ENVIRONMENT = /^(https?_proxy|no_proxy|all_proxy|PIP_(EXTRA_)?INDEX_URL|npm_config_registry|GO(PROXY|PRIVATE|NOPROXY|SUMDB|NOSUMDB))$/i;
/** The settings that say how apt reaches a mirror and what it makes of what it gets. */
const APT_ACQUIRE = /^Acquire::(https?|Check-|Retries)/;

/** Runs a command of the system in `root`, where this machine's temporary folder is not there. */
async function inside(root: string, ...command: string[]): Promise<void> {
  await run("chroot", [root, "env", "--unset=TMPDIR", ...command]);
}

/** This machine's own way to packages, for the system in `root`. */
async function takePackagesAsHere(root: string): Promise<void> {
  if (existsSync(OWN_CERTIFICATES)) await cp(OWN_CERTIFICATES, join(root, OWN_CERTIFICATES), { recursive: true, dereference: true });
  await inside(root, "update-ca-certificates");
  const { stdout } = await run("apt-config", ["dump"]);
  const settings = stdout.split("\n").filter((line) => APT_ACQUIRE.test(line));
  await writeFile(join(root, "etc/apt/apt.conf.d/50acquire"), `${settings.join("\n")}\n`);
  if (existsSync("/etc/pip.conf")) await cp("/etc/pip.conf", join(root, "etc/pip.conf"));
  await appendFile(join(root, "etc/environment"), Object.entries(packageSettings()).map(([name, value]) => `${name}=${value}\n`).join(""));
}

/** The settings that lead this machine's programs to their packages, for programs of another system. */
export function packageSettings(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => ENVIRONMENT.test(entry[0])));
}

async function make(suite: string, packages: readonly string[], folder: string): Promise<void> {
  const root = join(folder, "root");
  await mkdir(root);
  const options = ["--variant=minbase", `--include=${packages.join(",")}`, `--keyring=${KEYRING}`];
  await run("debootstrap", [...options, suite, root, await mirror()], { timeout: 10 * 60_000 });
  await takePackagesAsHere(root);
  await inside(root, "apt-get", "clean");
  // Those of a real host are its own; the tests give each machine theirs.
  await run("sh", ["-c", 'rm -f "$1"/etc/ssh/ssh_host_*', "sh", root]);
  await run("tar", ["-C", root, "--numeric-owner", "-cf", join(folder, "root.tar"), "."]);
  await rm(root, { recursive: true, force: true });
}

async function imported(docker: Docker, name: string, suite: string, packages: readonly string[]): Promise<string> {
  const folder = await once(name, (partial) => make(suite, packages, partial));
  await docker.run(["import", join(folder, "root.tar"), name]);
  return name;
}

/** The server's image in this Docker; answers its name. */
export function debianImage(docker: Docker): Promise<string> {
  return imported(docker, "debian-trixie", "trixie", SERVER);
}

/** The image of a bare system; certificates are what this machine may need to reach a mirror. */
export function bareDebianImage(docker: Docker, suite: string): Promise<string> {
  return imported(docker, `debian-${suite}-bare`, suite, ["ca-certificates"]);
}
