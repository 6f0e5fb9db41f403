/** Network bridges for Docker, named after this process; those of a test process that was killed are found and removed. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Cleanup } from "./cleanup.ts";
import { run } from "./process.ts";

export interface Bridge {
  readonly name: string;
  /** The first three numbers of its addresses; the machine itself is number 1. */
  readonly net: string;
}

const NAME = /\bcfy(\d+)-\d+\b/;
const CHAINS = [["filter", "FORWARD"], ["nat", "POSTROUTING"]] as const;

let bridges = 0;

const ofEndedProcess = (text: string) => {
  const [, pid] = NAME.exec(text) ?? [];
  return pid !== undefined && !existsSync(`/proc/${pid}`);
};

/** Bridges and packet rules of test processes that were killed before they could remove them. */
async function removeStale(): Promise<void> {
  const { stdout } = await run("ip", ["-o", "link", "show", "type", "bridge"]);
  for (const [, name = ""] of stdout.matchAll(/^\d+: (cfy\d+-\d+):/gm)) {
    if (ofEndedProcess(name)) await run("ip", ["link", "delete", name], { allowFailure: true });
  }
  for (const [table, chain] of CHAINS) {
    const rules = await run("iptables", ["-w", "-t", table, "-S", chain], { allowFailure: true });
    for (const rule of rules.stdout.split("\n").filter((each) => each.startsWith("-A ") && ofEndedProcess(each))) {
      await run("iptables", ["-w", "-t", table, "-D", ...rule.split(" ").slice(1)], { allowFailure: true });
    }
  }
}

/** A bridge with a subnet that no interface of the machine has. */
export async function makeBridge(cleanup: Cleanup): Promise<Bridge> {
  await removeStale();
  const name = `cfy${process.pid}-${++bridges}`;
  const { stdout: used } = await run("ip", ["-o", "-4", "addr"]);
  const net = Array.from({ length: 250 }, (_, each) => `10.213.${(process.pid + each) % 250}`).find((free) => !used.includes(`${free}.`));
  if (net === undefined) throw new Error("no free subnet 10.213.*.0/24 for a Docker bridge");
  await run("ip", ["link", "add", "name", name, "type", "bridge"]);
  cleanup.add(() => run("ip", ["link", "delete", name]));
  await run("ip", ["addr", "add", `${net}.1/24`, "dev", name]);
  await run("ip", ["link", "set", name, "up"]);
  return { name, net };
}

/** Lets what is on the bridge reach what this machine reaches: by rules that name this bridge alone, whatever else there is. */
export async function openOutward({ name, net }: Bridge, cleanup: Cleanup): Promise<void> {
  const rules = [
    ["-t", "filter", "FORWARD", "-i", name, "-j", "ACCEPT"],
    ["-t", "filter", "FORWARD", "-o", name, "-j", "ACCEPT"],
    ["-t", "nat", "POSTROUTING", "-s", `${net}.0/24`, "!", "-o", name, "-j", "MASQUERADE"],
  ];
  for (const [option = "", table = "", ...rule] of rules) {
    await run("iptables", ["-w", option, table, "-I", ...rule]);
    cleanup.add(() => run("iptables", ["-w", option, table, "-D", ...rule]));
  }
}

/** The largest packet of the machine's way outward; a bridge with larger ones loses them without a word. */
export async function outwardMtu(): Promise<number> {
  const { stdout } = await run("ip", ["-o", "-4", "route", "show", "default"]);
  const [, device] = / dev (\S+)/.exec(stdout) ?? [];
  return device === undefined ? 1500 : Number(await readFile(`/sys/class/net/${device}/mtu`, "utf8"));
}
