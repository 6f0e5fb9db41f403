/** What a bootstrap makes of bare Debian 13 hosts, run as `ssh root@HOST bash -s`: a build host, a cache host, a builder. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { longestText, type BootstrapSettings } from "../../infra/bootstrap.ts";
import { textFor } from "../../infra/bootstrap-text.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { HostMachine } from "../support/host-machine.ts";
import { HostNetwork } from "../support/host-network.ts";
import { otherNix } from "../support/other-nix.ts";
import { type Result, start } from "../support/process.ts";

const network = await HostNetwork.start();
after(() => network.stop());

const KEY = "cache-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";
const BUILD = {
  role: "build",
  stack: "one",
  authorizedKeys: [network.adminKey.public],
  substituters: [{ url: "file:///srv/cache?priority=10", publicKey: KEY }],
  trustedPublicKeys: [],
  netrc: [{ machine: "cache.test", login: "reader", password: "read-secret" }],
  builders: [],
  minFreeGiB: 1,
  maxFreeGiB: 2.5,
  volume: null,
  bucketNix: null,
} as const satisfies BootstrapSettings;
const CACHE = {
  role: "cache",
  stack: "one",
  authorizedKeys: [network.adminKey.public],
  server: "nix-serve",
  serverPath: "/bin/true",
  nixpkgs: "github:NixOS/nixpkgs",
  publicKeys: [KEY],
  pushKeys: [network.adminKey.public],
  domain: null,
  port: 80,
  auth: null,
  priority: 50,
  volume: null,
} as const satisfies BootstrapSettings;

const BUILDER = {
  role: "builder",
  clientKeys: [network.adminKey.public],
  substituters: [],
  trustedPublicKeys: [],
  netrc: null,
  systems: ["x86_64-linux"],
  features: ["big-parallel"],
  maxJobs: 1,
} as const satisfies BootstrapSettings;

const bootstrap = (machine: HostMachine, settings: BootstrapSettings, allowFailure = false): Promise<Result> =>
  machine.ssh("bash -s", { input: textFor(settings), allowFailure });

/** Runs it again: it must say nothing, write nothing and answer the same. */
async function changesNothing(machine: HostMachine, settings: BootstrapSettings, first: Result): Promise<void> {
  await machine.bash("touch /root/mark; sleep 0.05");
  const again = await bootstrap(machine, settings);
  const { stdout: written } = await machine.bash("find /etc /usr /var/lib/dpkg/status /nix -newer /root/mark -type f");
  assert.deepEqual([again.stderr, again.stdout, written], ["", first.stdout, ""]);
}

test("each text fits into what a cloud takes as user data", () => {
  for (const settings of [BUILD, CACHE, BUILDER]) {
    const { length } = Buffer.from(textFor(settings));
    assert.ok(length < longestText, `${settings.role}: ${length} bytes`);
  }
});

const as = async (machine: HostMachine, user: string, command: string, allowFailure = false) =>
  machine.ssh(command, { user, allowFailure });

const listeners = async (machine: HostMachine) =>
  (await machine.bash("ss -Hltun | awk '{print $1, $5}' | grep -v 127.0.0.11: | sort -u")).stdout.trim().split("\n");

const BUILD_SOMETHING = `cat >t.nix <<'END'
derivation { name = "t"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "[ ! -e /root ] && echo $$ >$out" ]; }
END
nix-build --no-out-link t.nix`;

test("a bare host becomes a build host, whose user may build and is nobody special", async () => {
  await using machine = await HostMachine.start(network, { name: "build", diskMiB: 1500 });
  const settings = { ...BUILD, volume: machine.disk ?? null };
  await machine.bash("mkdir -p /srv/cache && echo StoreDir: /nix/store >/srv/cache/nix-cache-info");
  const first = await bootstrap(machine, settings);
  assert.deepEqual(JSON.parse(first.stdout), { role: "build", nix: "nix (Nix) 2.26.3", system: "x86_64-linux", builderKey: null });
  await changesNothing(machine, settings, first);
  await machine.bash("systemd-analyze verify --man=no nix-daemon.service nix-daemon.socket && sshd -t");
  const sshd = (await machine.bash("sshd -T -C user=comfyui,host=x,addr=10.0.0.1")).stdout;
  for (const line of ["passwordauthentication no", "kbdinteractiveauthentication no", "authorizedkeysfile /etc/ssh/comfyui/%u"]) {
    assert.ok(sshd.includes(`${line}\n`), `${line} in:\n${sshd}`);
  }
  assert.deepEqual(await machine.startUnits(), ["nix-daemon.service"]);

  assert.match((await as(machine, "comfyui", BUILD_SOMETHING)).stdout, /^\/nix\/store\/.*-t$/m);
  const store = await as(machine, "comfyui", "nix store info --json");
  assert.equal(JSON.parse(store.stdout).trusted, 0, "no trusted user of Nix");
  const config = JSON.parse((await as(machine, "comfyui", "nix config show --json")).stdout) as Record<string, { value: unknown }>;
  const expected = {
    sandbox: true, "sandbox-fallback": false, "require-sigs": true, "max-jobs": 2, cores: 0, "min-free": 2 ** 30, "max-free": 2.5 * 2 ** 30,
    substituters: ["file:///srv/cache?priority=10"], "trusted-public-keys": [KEY], "trusted-users": ["root"], "always-allow-substitutes": true,
    "connect-timeout": 10, fallback: true, "narinfo-cache-positive-ttl": 0, "narinfo-cache-negative-ttl": 0, builders: "@/etc/nix/machines", "builders-use-substitutes": true,
  };
  const { stdout: cpus } = await machine.run(["nproc"]);
  const found = Object.fromEntries(Object.keys(expected).map((name) => [name, config[name]?.value]));
  assert.deepEqual(found, { ...expected, "max-jobs": Number(cpus) });

  const root = await as(machine, "comfyui", "sudo -n true || su -c true || echo x >>/etc/nix/nix.conf || cat /etc/shadow || kill -9 1", true);
  assert.notEqual(root.code, 0, "not root by any of these");
  assert.equal((await as(machine, "comfyui", "id -nG; cat /etc/nix/netrc")).stdout, "comfyui nix-users\nmachine cache.test login reader password read-secret\n");
  assert.match((await as(machine, "nobody", "true", true)).stderr, /Permission denied/);
  assert.deepEqual(await listeners(machine), ["tcp 0.0.0.0:22", "tcp [::]:22"]);

  // The disk holds the store, also for the host that comes after this one.
  assert.match((await machine.bash(`findmnt -no SOURCE,FSTYPE /nix; grep /nix /etc/fstab`)).stdout, new RegExp(`^${machine.disk} +ext4\nUUID=\\S+ /nix ext4 noatime,nofail 0 2$`, "m"));
  await machine.stopUnits();
  await machine.bash("umount /nix && rm -rf /nix && sed -i /nix/d /etc/fstab");
  await bootstrap(machine, settings);
  assert.match((await machine.bash("ls /nix/store")).stdout, /-t\n/);
});

test("a bootstrap that is killed is continued by the next, whatever it was doing", async () => {
  await using machine = await HostMachine.start(network, { name: "killed" });
  for (const moment of [/installing nix-bin/, /installing skopeo/, /wrote \/etc\/ssh\/sshd_config.d/]) {
    const running = machine.start(["bash", "-s"], { input: textFor(BUILD) });
    await running.outputMatches(moment);
    // In the middle of apt's and dpkg's work.
    await sleep(1500);
    await machine.run(["pkill", "-KILL", "-f", "^(/usr/bin/)?(bash -s|apt-get|dpkg|/usr/lib/apt)"], { allowFailure: true });
    await running.stop();
  }
  // As dpkg leaves a package in whose unpacking it was killed.
  await machine.bash("apt-get install -qq -y zstd >/dev/null && sed -i '/^Package: zstd$/,/^$/s/^Status: .*/Status: install reinstreq half-installed/' /var/lib/dpkg/status");
  const path = await bringNix(machine);
  const settings = { ...BUILD, bucketNix: { path, nixpkgs: "github:NixOS/nixpkgs", daemon: true } };
  const first = await bootstrap(machine, settings);
  await changesNothing(machine, settings, first);
  await machine.startUnits();
  await as(machine, "comfyui", `${BUILD_SOMETHING} --option substitute false`);
  // Nix's daemon is the one that can read a bucket, and so is the client of the scripts; people have the distribution's.
  const { stdout: versions } = await as(machine, "comfyui", "nix store info --json | jq -r .version; nix --version; . /tmp/infra/hosts/common.sh; nix --version");
  const { stdout: brought } = await machine.run([join(path, "bin/nix"), "--version"]);
  assert.doesNotMatch(brought, / 2\.26\./);
  assert.deepEqual(versions.trim().split("\n"), [brought.trim().replace("nix (Nix) ", ""), "nix (Nix) 2.26.3", brought.trim()]);
});

/** A newer Nix, which opens buckets, in the one place where it runs; answers its folder. */
async function bringNix(machine: HostMachine): Promise<string> {
  const folder = dirname(await otherNix("sid"));
  await machine.copyIn(folder, ["-C", folder, "."]);
  await machine.copyIn("/tmp", ["-C", CHECKOUT, "infra/hosts"]);
  return folder;
}

test("what stands in a bootstrap's way is named, and what was there stays", async () => {
  await using machine = await HostMachine.start(network, { name: "faults", diskMiB: 64 });
  const disk = machine.disk ?? "";
  const fails = async (code: string, settings: BootstrapSettings, before: string, ...said: RegExp[]) => {
    await machine.bash(before);
    const { code: exit, stderr, stdout } = await machine.run(["bash", "-s"], { input: textFor(settings), allowFailure: true });
    assert.deepEqual([exit, stdout], [1, ""], stderr);
    for (const pattern of [new RegExp(`^error\\[${code}\\]: `, "m"), /^ {2}fix: {6}./m, ...said]) assert.match(stderr, pattern);
  };
  const { stdout: refused } = await machine.bash("setpriv --reuid=nobody --clear-groups bash -s 2>&1 || :", { input: textFor(BUILD) });
  assert.match(refused, /error\[BOOTSTRAP_NOT_ROOT\][^]*found: +user nobody/);
  await fails("BOOTSTRAP_SYSTEM", BUILD, "cp /etc/os-release /root; sed -i s/=trixie/=x/\\;s/13/12/ /etc/os-release", /found: +Debian GNU\/Linux 12/);
  await fails("BOOTSTRAP_PACKAGES", BUILD, "cp /root/os-release /etc; cp /etc/apt/sources.list /root; echo 'deb file:/nowhere trixie main' >/etc/apt/sources.list");
  await fails("BOOTSTRAP_VOLUME_MISSING", { ...BUILD, volume: "/dev/null" }, "cp /root/sources.list /etc/apt/", /expected: \/dev\/null/);
  await fails("BOOTSTRAP_VOLUME_TAKEN", { ...BUILD, volume: disk }, `mkfs.ext4 -q -L mine ${disk}`, /found: +LABEL=mine TYPE=ext4/);
  await fails("BOOTSTRAP_VOLUME_TAKEN", { ...BUILD, volume: disk }, `wipefs -qa ${disk}; echo data | dd of=${disk} bs=1k seek=9 status=none`, /found: +TYPE=unknown/);
  assert.equal((await machine.bash(`dd if=${disk} bs=1k skip=9 count=1 status=none | head -c 4`)).stdout, "data");
  await fails("BOOTSTRAP_STORE_EXISTS", { ...BUILD, volume: disk }, "mkdir -p /nix/store/x");
  await fails("BOOTSTRAP_NO_KEYS", { ...BUILD, authorizedKeys: [] }, "rm -r /nix; mv /root/.ssh/authorized_keys /root");
  await fails("BOOTSTRAP_SSHD", BUILD, "echo 'NoSuchSetting yes' >>/etc/ssh/sshd_config; test ! -e /etc/ssh/sshd_config.d/10-comfyui.conf", /NoSuchSetting/);
  await fails("BOOTSTRAP_UNIT", BUILD, "sed -i 's/NoSuch.*/PermitRootLogin no/' /etc/ssh/sshd_config; install -d /etc/systemd/system/nix-daemon.service.d; printf '[Service]\\nExecStart=\\n' >/etc/systemd/system/nix-daemon.service.d/zz.conf");
  await fails("BOOTSTRAP_NIX_BUCKETS", { ...BUILD, bucketNix: { path: "/nowhere/nix", nixpkgs: "github:NixOS/nixpkgs", daemon: false } }, "true", /found: +\/nowhere\/nix\n +expected: a folder with bin\/nix/);
  await fails("BOOTSTRAP_ROLE", CACHE, "rm /etc/systemd/system/nix-daemon.service.d/zz.conf", /found: +build\n +expected: cache/);
  await fails("BOOTSTRAP_SYSTEMS", { ...BUILDER, systems: ["aarch64-linux"] }, "rm /etc/comfyui-role", /found: +x86_64-linux\n +expected: aarch64-linux/);
  await fails("BOOTSTRAP_SERVER", { ...CACHE, serverPath: "/nowhere/nix-serve" }, "rm /etc/comfyui-role", /found: +\/nowhere\/nix-serve/);
  await fails("BOOTSTRAP_CADDY", { ...CACHE, pushKeys: [], port: 99999 }, "cp /etc/caddy/Caddyfile /root");
  await machine.bash("cmp /etc/caddy/Caddyfile /root/Caddyfile");
  await fails("BOOTSTRAP_NIX_OLD", CACHE, "printf '#!/bin/sh\\necho nix 2.8.0\\n' >/usr/local/bin/nix; chmod +x /usr/local/bin/nix", /found: +nix 2.8.0/);
  assert.match((await machine.bash("sshd -T")).stdout, /^permitrootlogin no$/m, "a host that is stricter stays so");
});

/** Three derivations that each take some seconds, and one that needs them all. */
const SHARED = (seconds: number) => `let
  build = name: seconds: below: derivation {
    inherit name below; system = "x86_64-linux"; builder = "/bin/sh"; requiredSystemFeatures = [ "big-parallel" ];
    args = [ "-c" "SECONDS=0; while (( SECONDS < \${seconds} )); do :; done; echo built >$out" ];
  };
in build "all" "0" (map (number: build "part-\${toString number}" "${seconds}" [ ]) [ 1 2 3 ])`;

const builtBy = (stderr: string) => [...new Set([...stderr.matchAll(/building '.*' on 'ssh-ng:\/\/(\S+)'/g)].map(([, name]) => name))].sort();

test("two builders share a build with the build host's Nix; one that is gone is no more asked", async () => {
  await using host = await HostMachine.start(network, { name: "distributor" });
  await using one = await HostMachine.start(network, { name: "builder-1" });
  await using two = await HostMachine.start(network, { name: "builder-2" });
  const entry = ({ address, hostKey }: HostMachine) => ({ host: address, port: 22, hostKey, systems: ["x86_64-linux"], maxJobs: 1, speedFactor: 1, features: ["big-parallel"] });
  const settings = { ...BUILD, substituters: [], netrc: null, builders: [one, two].map(entry) };
  const answer = await bootstrap(host, settings);
  const { builderKey } = JSON.parse(answer.stdout) as { builderKey: string };
  assert.match(builderKey, /^ssh-ed25519 \S+$/);
  await changesNothing(host, settings, answer);
  const builder = { ...BUILDER, clientKeys: [builderKey] };
  const setUp = async (machine: HostMachine) => {
    const first = await bootstrap(machine, builder);
    assert.deepEqual(JSON.parse(first.stdout), { role: "builder", nix: "nix (Nix) 2.26.3" });
    if (machine === one) await changesNothing(machine, builder, first);
    await machine.startUnits();
    assert.deepEqual(await listeners(machine), ["tcp 0.0.0.0:22", "tcp [::]:22"]);
  };
  await Promise.all([one, two].map(setUp));
  await host.startUnits();
  // Its key is root's alone, and opens Nix's daemon alone.
  assert.equal((await as(host, "comfyui", "cat /etc/nix/builder_ed25519", true)).code, 1);
  const shell = await host.run(["ssh", "comfyui-builder-0", "cat /etc/passwd"], { allowFailure: true, timeout: 20_000, input: "" });
  assert.doesNotMatch(shell.stdout, /root:/);

  const build = (seconds: number) => `cat >shared.nix <<'END'\n${SHARED(seconds)}\nEND\nnix-build --no-out-link --max-jobs 0 shared.nix`;
  const both = await as(host, "comfyui", build(2));
  assert.deepEqual(builtBy(both.stderr), ["comfyui-builder-0", "comfyui-builder-1"], both.stderr);
  assert.match((await host.bash(`nix path-info ${both.stdout.trim()}`)).stdout, /-all\n$/);

  // Nix fails what was being built on a machine that dies; run again, it goes on with the others (infra/hosts/nix.sh does so).
  const running = start("ssh", [...(await host.sshArguments()), `comfyui@${host.address}`, build(6)]);
  await running.outputMatches(/-part-.*' on 'ssh-ng:\/\/comfyui-builder-1'[^]*\nbuilding '[^']*-part-[^']*'\.\.\.[^]*\nbuilding '[^']*-part-[^']*'\.\.\./);
  await two.stopSshd();
  const lost = await running.done;
  assert.notEqual(lost.code, 0);
  assert.match(lost.stderr, /disconnected unexpectedly|unexpected end-of-file/);
  const survived = await as(host, "comfyui", build(6));
  assert.deepEqual(builtBy(survived.stderr), ["comfyui-builder-0"], survived.stderr);
});
