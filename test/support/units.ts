/**
 * Starts systemd's units where systemd does not run, from their own lines: User, Group, Environment, ExecStartPre and
 * ExecStart, folders of the kinds Runtime, State, Cache and Logs, and the order of After. What only systemd can do is left
 * out: a unit's sandbox, restarts, sockets.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { HostMachine } from "./host-machine.ts";

/** The services that a bootstrapped host runs; others of the base system are no concern of the tests. */
const OURS = /^(nix-daemon|caddy|comfyui-[a-z-]+)\.service$/;
const FOLDERS = { RuntimeDirectory: "/run", StateDirectory: "/var/lib", CacheDirectory: "/var/cache", LogsDirectory: "/var/log" } as const;

interface Unit {
  readonly name: string;
  /** Every value of a setting of [Service] or [Unit], in order; an empty one has cleared those before it. */
  readonly settings: ReadonlyMap<string, readonly string[]>;
}

/** A unit's file and its drop-ins as systemd reads them: those of /etc win. */
const READ = `cd /
name=$1
for folder in etc/systemd/system lib/systemd/system usr/lib/systemd/system; do
  if [ -f "$folder/$name" ]; then cat "$folder/$name"; break; fi
done
for drop in etc/systemd/system/$name.d/*.conf; do [ ! -f "$drop" ] || { echo; cat "$drop"; }; done`;

function parse(name: string, text: string): Unit {
  const settings = new Map<string, string[]>();
  for (const line of text.replaceAll("\\\n", " ").split("\n")) {
    const [, key, value = ""] = /^([A-Za-z]+)=(.*)$/.exec(line.trim()) ?? [];
    if (key === undefined) continue;
    if (value === "") settings.delete(key);
    else settings.set(key, [...(settings.get(key) ?? []), value.trim()]);
  }
  return { name, settings };
}

const last = ({ settings }: Unit, key: string) => settings.get(key)?.at(-1);
const all = ({ settings }: Unit, key: string) => settings.get(key) ?? [];
const words = (values: readonly string[]) => values.flatMap((value) => value.split(/\s+/)).filter(Boolean);

/** A unit's command line; its prefixes (`-`, `@`, `+` …) tell systemd how to run it. `@`: the second word is its name. */
function commandLine(value: string): string {
  const [, prefix = "", line = ""] = /^([-@:+!|]*)(.*)$/.exec(value) ?? [];
  return prefix.includes("@") ? line.replace(/^(\S+)\s+\S+/, "$1") : line;
}

/** What runs one unit: folders, then each command as the unit's user with the unit's environment. */
function script(unit: Unit): string {
  const user = last(unit, "User") ?? "root";
  const group = last(unit, "Group");
  const folders = Object.entries(FOLDERS).flatMap(([key, parent]) => words(all(unit, key)).map((name) => ({ key, path: `${parent}/${name}` })));
  const owner = group === undefined ? `${user}:` : `${user}:${group}`;
  const environment = all(unit, "Environment").map((value) => `export ${value}`);
  const files = all(unit, "EnvironmentFile").map((value) => `set -a; . ${value.replace(/^-/, "")}; set +a`);
  const supplementary = words(all(unit, "SupplementaryGroups"));
  const groups = supplementary.length === 0 ? "--init-groups" : `--groups=$(id -g ${user}),$(getent group ${supplementary.join(" ")} | cut -d: -f3 | paste -sd,)`;
  const as = user === "root" ? "" : `setpriv --reuid=${user} --regid=${group ?? `$(id -g ${user})`} ${groups} `;
  const before = all(unit, "ExecStartPre").map((value) => `${value.startsWith("+") ? "" : as}${commandLine(value)}`);
  return [
    "set -eu",
    ...folders.map(({ key, path }) => `install -d -m ${last(unit, `${key}Mode`) ?? "755"} -o ${user} -g ${group ?? `$(id -g ${user})`} ${path}; export ${key.replace("Directory", "").toUpperCase()}_DIRECTORY=${path}; chown ${owner} ${path}`),
    ...(user === "root" ? [] : [`export HOME=$(getent passwd ${user} | cut -d: -f6) USER=${user}`]),
    ...environment,
    ...files,
    `cd ${last(unit, "WorkingDirectory") ?? "/"}`,
    ...before,
    `exec ${as}${all(unit, "ExecStart").map(commandLine).join("; ")}`,
  ].join("\n");
}

const pidFile = (name: string) => `/run/test-units/${name}.pid`;

async function enabled(machine: HostMachine): Promise<string[]> {
  const { stdout } = await machine.bash("ls /etc/systemd/system/*.wants/ 2>/dev/null | sort -u");
  return stdout.split("\n").filter((name) => OURS.test(name));
}

/** Services in the order of their After lines. */
function ordered(units: readonly Unit[]): Unit[] {
  const done = new Set<Unit>();
  const visit = (unit: Unit): void => {
    if (done.has(unit)) return;
    for (const after of words([...all(unit, "After"), ...all(unit, "Requires")])) {
      const earlier = units.find(({ name }) => name === after);
      if (earlier !== undefined && earlier !== unit) visit(earlier);
    }
    done.add(unit);
  };
  for (const unit of units) visit(unit);
  return [...done];
}

/** Starts the enabled units that do not run yet and waits until they live; answers the names of all. */
export async function startUnits(machine: HostMachine): Promise<string[]> {
  const units = await Promise.all((await enabled(machine)).map((name) => read(machine, name)));
  for (const unit of ordered(units)) await startOne(machine, unit);
  return units.map(({ name }) => name);
}

/** Starts one unit, where it does not run, whether or not it is enabled. */
export async function startUnit(machine: HostMachine, name: string): Promise<void> {
  await startOne(machine, await read(machine, name));
}

async function read(machine: HostMachine, name: string): Promise<Unit> {
  return parse(name, (await machine.run(["sh", "-c", READ, "read", name])).stdout);
}

async function startOne(machine: HostMachine, unit: Unit): Promise<void> {
  const start = `mkdir -p /run/test-units; cd /run/test-units
if [ -e ${unit.name}.pid ] && kill -0 "$(cat ${unit.name}.pid)" 2>/dev/null; then exit 0; fi
setsid bash -c "$1" unit >${unit.name}.log 2>&1 </dev/null & echo $! >${unit.name}.pid`;
  await machine.run(["bash", "-c", start, "start", script(unit)]);
  await lives(machine, unit);
}

/** What a unit does once it is up, as far as its kind tells. */
async function lives(machine: HostMachine, { name }: Unit): Promise<void> {
  const end = performance.now() + 500;
  while (performance.now() < end) await sleep(100);
  const { code } = await machine.bash(`kill -0 "$(cat ${pidFile(name)})"`, { allowFailure: true });
  if (code === 0) return;
  throw new Error(`${machine.name}: ${name} ended:\n${await unitLog(machine, name)}`);
}

/** What a unit wrote. */
export async function unitLog(machine: HostMachine, name: string): Promise<string> {
  return (await machine.run(["tail", "-n", "100", `/run/test-units/${name}.log`])).stdout;
}

/** Ends one unit, with its children. */
export async function stopUnit(machine: HostMachine, name: string): Promise<void> {
  await machine.bash(`file=${pidFile(name)}; [ ! -e "$file" ] || { kill -KILL -- "-$(cat "$file")" 2>/dev/null || [ $? -eq 1 ]; rm "$file"; }`);
}

/** Ends every unit that `startUnits` started, with its children. */
export async function stopUnits(machine: HostMachine): Promise<void> {
  await machine.bash('for file in /run/test-units/*.pid; do [ ! -e "$file" ] || { kill -KILL -- "-$(cat "$file")" 2>/dev/null || [ $? -eq 1 ]; rm "$file"; }; done');
}
