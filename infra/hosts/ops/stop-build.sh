#!/usr/bin/env bash
# stop-build.sh: ends what is being built, also where the script that began it is gone. What is built already stays in the store.
# stdin {protocol, names}, stdout {"stopped": [NAME...]}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/history.sh"
. "$HOSTS/holders.sh"

need jq flock
read_request .names
# Seconds until all of it is asked to end, and until it is ended.
readonly ASKED=10 KILLED=20

# stop NAME: its commands are ended, and its script says why. A script that does not end by that is ended too.
stop() {
  local name=$1 script process signal second
  script=$(run_of "$name" .script)
  for ((second = 0; second < KILLED + 10; second++)); do
    mapfile -t processes < <(holders "$name")
    [ "${#processes[@]}" -gt 0 ] || break
    [ "$second" -lt "$KILLED" ] && signal=TERM || signal=KILL
    for process in "${processes[@]}"; do
      if [ "$process" != "$script" ] || [ "$second" -ge "$ASKED" ]; then
        kill -"$signal" "$process" 2>/dev/null || :
      fi
    done
    sleep 1
  done
  # Nobody else writes down the end of a run without its script.
  (
    flock --timeout 5 9 || exit 0
    WORK=$STATE/work/$name
    close_cut_off
  ) 9>>"$STATE/locks/$name.lock"
}

mapfile -t names < <(asked_running)
# All of them know before one ends: an `up` goes on with nothing that waits for it.
for name in "${names[@]}"; do touch -- "$STATE/work/$name/stop"; done
for name in "${names[@]}"; do stop "$name" & done
wait
printf '%s\n' "${names[@]}" | jq -cnR '{stopped: [inputs | select(. != "")]}'
