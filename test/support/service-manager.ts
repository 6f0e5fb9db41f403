/**
 * systemd's part in a bootstrap, for a host where it does not run: `systemctl` hands what it is asked to this process, which
 * runs the units as `units.ts` does. A bootstrap then starts and restarts its services itself, as on a real host.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { HostMachine } from "./host-machine.ts";
import type { Running } from "./process.ts";
import { startUnit, stopUnit } from "./units.ts";

const FOLDER = "/run/service-manager";

/** What this stands in for; links in /etc are made by the real one. Other units than ours are left alone. */
const SYSTEMCTL = `#!/bin/bash
set -euo pipefail
ask() {
  local id=$$-$RANDOM
  printf '%s %s %s\\n' "$id" "$1" "$2" >>${FOLDER}/requests
  until [ -s ${FOLDER}/answer-$id ]; do sleep 0.05; done
  cat ${FOLDER}/answer-$id >&2
  [ "$(cat ${FOLDER}/answer-$id)" = done ]
}
case $* in
  "enable --quiet --now "*.service)
    SYSTEMD_OFFLINE=1 /usr/bin/systemctl enable --quiet "\${@: -1}"
    ask start "\${@: -1}" 2>/dev/null
    ;;
  "enable "*) SYSTEMD_OFFLINE=1 /usr/bin/systemctl enable --quiet "\${@: -1}" ;;
  "restart "*) ask restart "$2" 2>/dev/null ;;
  "show --value --property ActiveEnterTimestamp "*) date -d "@$(stat -c %Y "/run/test-units/\${@: -1}.pid")" ;;
  "try-reload-or-restart ssh.service") kill -HUP "$(cat /run/sshd.pid)" ;;
esac
`;

export class ServiceManager {
  readonly #machine: HostMachine;
  readonly #requests: Running;

  private constructor(machine: HostMachine, requests: Running) {
    this.#machine = machine;
    this.#requests = requests;
    // Ends with the first unit that cannot be started.
    this.#serve().catch(() => undefined);
  }

  /** Works until the machine is switched off; to be started again after a restart. */
  static async start(machine: HostMachine): Promise<ServiceManager> {
    await machine.run(["bash", "-euc", `mkdir -p /run/systemd/system ${FOLDER}; : >${FOLDER}/requests; cat >/usr/local/bin/systemctl; chmod 755 /usr/local/bin/systemctl`], { input: SYSTEMCTL });
    return new ServiceManager(machine, machine.start(["tail", "-n", "+1", "-f", `${FOLDER}/requests`]));
  }

  async #serve(): Promise<void> {
    for (let done = 0; !this.#requests.ended; await sleep(50)) {
      const lines = this.#requests.output().stdout.split("\n").slice(0, -1);
      for (const line of lines.slice(done)) await this.#answer(line.split(" "));
      done = lines.length;
    }
  }

  async #answer([id = "", verb = "", unit = ""]: readonly string[]): Promise<void> {
    const answer = await this.#act(verb, unit).then(() => "done", (error: Error) => error.message);
    await this.#machine.run(["sh", "-c", `cat >${FOLDER}/partial && mv ${FOLDER}/partial ${FOLDER}/answer-${id}`], { input: answer });
  }

  async #act(verb: string, unit: string): Promise<void> {
    if (verb === "restart") await stopUnit(this.#machine, unit);
    await startUnit(this.#machine, unit);
  }
}
