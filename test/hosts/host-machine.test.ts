/** The hosts that other tests drive over SSH: real Debian 13 machines with addresses, disks and ways outward of their own. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { HostMachine, type MachineOptions } from "../support/host-machine.ts";
import { HostNetwork } from "../support/host-network.ts";

async function network(t: TestContext): Promise<HostNetwork> {
  const started = await HostNetwork.start();
  t.after(() => started.stop());
  return started;
}

async function text(machine: HostMachine, command: string): Promise<string> {
  return (await machine.ssh(command)).stdout.trim();
}

test("hosts answer by SSH with their own keys, reach each other and the packages, and keep address and disk over a restart", async (t) => {
  const hosts = await network(t);
  const start = (options: MachineOptions) => HostMachine.start(hosts, options);
  const [one, two] = await Promise.all([start({ name: "one", diskMiB: 64 }), start({ name: "two" })]);
  assert.match(await text(one, "cat /etc/os-release; hostname"), /VERSION_CODENAME=trixie[^]*\none$/);
  assert.equal(await text(one, "getent hosts two | cut -d ' ' -f 1"), two.address, "a host has a name");
  assert.match(await text(two, "apt-get update -q && apt-get install -qq -y --no-install-recommends e2fsprogs"), /./);
  // The disk is the host's alone, and empty.
  assert.match(await text(one, `! blkid ${one.disk} && lsblk -bno SIZE ${one.disk}`), new RegExp(`^${64 * 1024 * 1024}$`));
  await one.bash("echo kept >/root/kept; echo gone >/run/gone");
  await one.stop();
  const refused = await one.ssh("true", { allowFailure: true, arguments: ["-o", "ConnectTimeout=2"] });
  assert.equal(refused.code, 255);
  await one.restart();
  assert.equal(await text(one, "cat /root/kept; ls -A /run/gone 2>/dev/null; ip -4 -o addr show eth0 | grep -oE '([0-9]+\\.){3}[0-9]+' | head -n 1"), `kept\n${one.address}`);
});

test("a host can be cut off, replaced at its address with the same or another key, and started from a snapshot", async (t) => {
  const hosts = await network(t);
  const first = await HostMachine.start(hosts, { name: "one" });
  await first.disconnect();
  assert.equal((await first.ssh("true", { allowFailure: true, arguments: ["-o", "ConnectTimeout=2"] })).code, 255);
  await first.reconnect();
  await first.bash("echo first >/root/mark");
  const image = await first.snapshot("marked");
  await first.stopSshd();
  assert.match((await first.ssh("true", { allowFailure: true })).stderr, /Connection refused/);
  await first.remove();

  const second = await HostMachine.start(hosts, { name: "one", image });
  assert.deepEqual([second.address, second.hostKey, await text(second, "cat /root/mark")], [first.address, first.hostKey, "first"]);
  await second.remove();
  const third = await HostMachine.start(hosts, { name: "one", newHostKey: true });
  assert.equal(third.address, first.address);
  assert.notEqual(third.hostKey, first.hostKey);
  assert.match(await text(third, "ls /root/mark 2>&1; true"), /No such file/);
});
