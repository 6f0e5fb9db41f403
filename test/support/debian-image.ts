/**
 * A fresh Debian 13 server as an image: what an installer leaves, with sshd, made by debootstrap and kept in the test cache.
 * It takes packages as this machine does: from the same mirror, with the same proxy, trusting the same certificates.
 */
import { existsSync } from "node:fs";
import { appendFile, cp, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KEYRING, mirror } from "./debian-packages.ts";
import type { Docker } from "./docker.ts";
import { run } from "./process.ts";
import { once } from "./test-cache.ts";

const SUITE = "trixie";
/** Beyond the base system: what Debian's images for clouds and servers have as well. */
const PACKAGES = ["ca-certificates", "openssh-server", "systemd", "systemd-sysv", "sudo", "iproute2", "procps"];
const OWN_CERTIFICATES = "/usr/local/share/ca-certificates";
/** Settings of pip's and of proxies that this machine's programs are given. */
const ENVIRONMENT = /^(https?_proxy|no_proxy|all_proxy|PIP_(EXTRA_)?INDEX_URL)$/i;
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
  const given = Object.entries(process.env).filter(([name]) => ENVIRONMENT.test(name));
  await appendFile(join(root, "etc/environment"), given.map(([name, value]) => `${name}=${value}\n`).join(""));
}

async function make(folder: string): Promise<void> {
  const root = join(folder, "root");
  await mkdir(root);
  const options = ["--variant=minbase", `--include=${PACKAGES.join(",")}`, `--keyring=${KEYRING}`];
  await run("debootstrap", [...options, SUITE, root, await mirror()], { timeout: 10 * 60_000 });
  await takePackagesAsHere(root);
  await inside(root, "apt-get", "clean");
  // Those of a real host are its own; the tests give each machine theirs.
  await run("sh", ["-c", 'rm -f "$1"/etc/ssh/ssh_host_*', "sh", root]);
  await run("tar", ["-C", root, "--numeric-owner", "-cf", join(folder, "root.tar"), "."]);
  await rm(root, { recursive: true, force: true });
}

/** The image in this Docker; answers its name. */
export async function debianImage(docker: Docker): Promise<string> {
  const name = `debian-${SUITE}`;
  await docker.run(["import", join(await once(name, make), "root.tar"), name]);
  return name;
}
