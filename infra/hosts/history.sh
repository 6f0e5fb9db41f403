# What is kept of a layer's and the image's runs, for `ops builds` and `ops report`, and how much of it. Sourced, never run.
# STATE/history/FLAVOR/NAME.jsonl has a line for each run, NAME.request.json the request of the last that came to its end;
# WORK/run.json is the run that goes on now.
# shellcheck shell=bash

# A line has at most some kilobytes.
readonly RUNS_KEPT=200 RECORDS_KEPT=200 LOGS_KEPT=50 LOG_BYTES_KEPT=250000000

# The message is the same; the history keeps its code, also of a fault in a subshell. A build that was stopped fails somewhere:
# the cause is what an operator wanted.
eval "message_$(declare -f fail)"
fail() {
  if [ -n "${WORK:-}" ] && [ -e "$WORK/stop" ]; then set -- "${STOPPED[@]}"; fi
  [ -z "${WORK:-}" ] || [ ! -d "$WORK" ] || printf '%s\n' "$1" >"$WORK/fault"
  message_fail "$@"
}
STOPPED=(LAYER_STOPPED "the build was stopped by 'ops builds stop'" "run 'pulumi up' again: finished layers are kept, and so is what is finished of this one")

# stop_mark: when the build was last told to stop; empty where it was not.
stop_mark() {
  stat -c %y -- "$WORK/stop" 2>/dev/null || [ $? -eq 1 ]
}

# open_history NAME KEY: the run has begun, and its lock is held.
open_history() {
  HISTORY=$STATE/history/$(asked .flavor)/$1
  mkdir -p "${HISTORY%/*}"
  close_cut_off
  rm -f -- "$WORK"/{stop,fault,facts.json}
  jq -c --slurpfile last <(cat "$HISTORY.request.json" 2>/dev/null || [ $? -eq 1 ]) \
    --arg name "$1" --arg key "$2" --arg history "$HISTORY" --arg log "$LOG" --argjson started "$STARTED" --argjson script $$ '
    def flat: [paths(type != "object") as $path | select(all($path[]; type == "string")) | {key: ($path | tojson), value: getpath($path)}] | from_entries;
    def shown: if . == null then empty else (if type == "string" then . else tojson end)[:80] end;
    flat as $now | ($last[0] // {} | flat) as $old
    | {name: $name, key: $key, history: $history, log: $log, started: $started, script: $script,
       changes: (if $last == [] then null else [$now + $old | keys[] | select($now[.] != $old[.]) | . as $path
         | {path: fromjson} + ({old: $old[$path] | shown} // {}) + ({new: $now[$path] | shown} // {})] | .[:30] end)}' <<<"$REQUEST" >"$WORK/run.json.new"
  mv -- "$WORK/run.json.new" "$WORK/run.json"
  trap 'close_run $?' EXIT
}

# close_run STATUS: the run ends. What cannot be written down does not make a good run a bad one.
close_run() {
  local outcome=failed
  # Of a push that failed.
  ! declare -F cache_release >/dev/null || cache_release
  # A signal may leave the status of the command before it.
  if [ "$1" -eq 0 ] && [ -e "$WORK/facts.json" ]; then outcome='done'; fi
  # By a signal, or a command that nobody asks, it ends without a fault of its own.
  if [ "$outcome" = failed ] && [ -e "$WORK/stop" ] && [ "$(cat "$WORK/fault" 2>/dev/null)" != "${STOPPED[0]}" ]; then
    (fail "${STOPPED[@]}") || :
  fi
  remember "$outcome" "$(date -u +%s.%N)" "$HISTORY" || say "warning: the run could not be written to $STATE/history"
}

# close_cut_off: the run before, whose script was killed: all that is known is when its log ended.
close_cut_off() {
  [ -s "$WORK/run.json" ] || return 0
  local log history ended outcome=cut-off
  { read -r log && read -r history; } < <(jq -r '.log, .history' "$WORK/run.json")
  ended=$(stat -c %Y -- "$log" 2>/dev/null) || ended=$(jq .started "$WORK/run.json")
  if [ -e "$WORK/stop" ]; then
    outcome=failed
    printf '%s\n' "${STOPPED[0]}" >"$WORK/fault"
  fi
  remember "$outcome" "$ended" "$history"
}

# remember OUTCOME ENDED HISTORY: one more line of the history, one less at its other end.
remember() {
  local history=$3
  {
    [ ! -e "$history.jsonl" ] || tail -n "$((RUNS_KEPT - 1))" -- "$history.jsonl"
    jq -c --slurpfile facts <(cat "$WORK/facts.json" 2>/dev/null || [ $? -eq 1 ]) --arg outcome "$1" --argjson ended "$2" \
      --arg code "$(cat "$WORK/fault" 2>/dev/null)" '
      {name, key, log, changes, startedAt: (.started | floor | todate), endedAt: ($ended | floor | todate),
       seconds: (([$ended - .started, 0] | max) * 10 | round / 10), outcome: $outcome}
      + (if $outcome == "failed" and $code != "" then {code: $code} else {} end)
      + (if $outcome == "done" then $facts[0] // {} else {} end)' "$WORK/run.json"
  } >"$history.new" && mv -- "$history.new" "$history.jsonl" || return
  if [ "$1" = 'done' ]; then
    printf '%s\n' "$REQUEST" >"$history.request.new" && mv -- "$history.request.new" "$history.request.json" || return
  fi
  rm -f -- "$WORK/run.json"
}

# prune NAME: old logs and records go: never this run's log, and never the one that the newest record names.
prune() {
  local old newest named=
  old=$(newest_first "$STATE/logs/$1" |
    awk -F '\t' -v count="$LOGS_KEPT" -v bytes="$LOG_BYTES_KEPT" -v mine="${LOG##*/}" '{ all += $2 } (NR > count || all > bytes) && $3 != mine { print $3 }')
  if [ -n "$old" ]; then
    newest=$(newest_first "$STATE/records/$1" | awk -F '\t' 'NR == 1 { print $3 }')
    [ -z "$newest" ] || named=$(jq -r '.log // "" | sub(".*/"; "")' "$STATE/records/$1/$newest")
    { grep -v -F -x -e "$named" <<<"$old" || [ $? -eq 1 ]; } | remove_from "$STATE/logs/$1"
  fi
  newest_first "$STATE/records/$1" | tail -n "+$((RECORDS_KEPT + 1))" | cut -f 3 | remove_from "$STATE/records/$1"
}

# newest_first FOLDER: a line `time size name` for each file, with tabs.
newest_first() {
  find "$1" -maxdepth 1 -type f -printf '%T@\t%s\t%f\n' | sort -rn
}

# remove_from FOLDER: the files named on stdin.
remove_from() {
  (cd -- "$1" && xargs -d '\n' -r rm -f --)
}
