#!/usr/bin/env bash
# follow-build.sh: the logs of what is being built, as they grow, until nothing is built any more: NAME, a tab, and a line of the
# log on stderr. Of several names, what is built next is followed too.
# stdin {protocol, names}, stdout {"ended": [a line of the history each]}: infra/ops/builds/runs.ts
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/holders.sh"

need jq
read_request .names
# Between two layers of an `up` there is a moment in which nothing runs.
patience=$(jq 'if (.names | length) > 1 then 4 else 1 end' <<<"$REQUEST")
readonly PASS=0.5 HEARTBEAT=20

declare -A history=() names=() tails=()
order=()

# follow NAME: shows the end of its log and what comes.
follow() {
  local name=$1 log past
  IFS=$'\t' read -r log past < <(run_of "$name" '[.log, .history] | @tsv') || return 0
  [ -z "${names[$log]:-}" ] || return 0
  names[$log]=$name
  history[$log]=$past
  order+=("$log")
  # The log is made once the sources are checked.
  tail --pid=$$ -n 20 -F -- "$log" > >(
    stdbuf -oL tr '\r' '\n' | stdbuf -oL cut -b 1-1000 | sed -u "s/^/$name\t/" >&2
  ) 2>/dev/null &
  tails[$log]=$!
}

# outcome LOG: how the run ended, as its history says, or that its script was gone.
outcome() {
  local line=
  [ ! -e "${history[$1]}.jsonl" ] || line=$(jq -c --arg log "$1" 'select(.log == $log)' "${history[$1]}.jsonl" | tail -n 1)
  [ -n "$line" ] || line=$(jq -cn --arg name "${names[$1]}" --arg log "$1" '{name: $name, log: $log, outcome: "cut-off"}')
  printf '%s\n' "$line"
}

idle=0 pass=0
while [ "$idle" -lt "$patience" ]; do
  idle=$((idle + 1)) pass=$((pass + 1))
  now=$(asked_running)
  for name in $now; do
    idle=0
    follow "$name"
  done
  # To nobody: the script ends with the connection.
  [ $((pass % HEARTBEAT)) -ne 0 ] || printf '\n' >&2
  sleep "$PASS"
done
for log in "${order[@]}"; do
  kill "${tails[$log]}" 2>/dev/null || :
  wait "${tails[$log]}" 2>/dev/null || :
done
for log in "${order[@]}"; do outcome "$log"; done | jq -cn '{ended: [inputs]}'
