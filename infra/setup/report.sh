# What set-up found, installed and could not get. Sourced by ../setup.sh.
# shellcheck shell=bash

rows=()     # tool|version|from|found, installed or missing
problems=() # finished messages of `fail`, so that all are shown at once
installed=0
by_hand="pulumi up" # what everything is there for

# row TOOL VERSION FROM STATE
row() {
  rows+=("$1|$2|$3|$4")
  case "$4" in installed*) installed=$((installed + 1)) ;; esac
}

# problem CODE PROBLEM FIX [FOUND] [EXPECTED]: like `fail`, but goes on to find what else is wrong.
problem() {
  local text
  if text=$( (fail "$@") 2>&1); then return 0; fi
  problems+=("$text")
}

# last_said LOG LINES: the end of what a program said, in one line.
last_said() { { grep -v '^[[:space:]]*$' "$1" 2>/dev/null || :; } | tail -n "$2" | tr -s '\t ' ' ' | paste -sd ' '; }

# progress MESSAGE: something slow begins.
progress() { say "set-up: $1"; }

# slow MESSAGE LOG HOW_FAR COMMAND...: a step that may take long, with all its output in LOG. Says every ten seconds, on a terminal
# every second, what `HOW_FAR LOG` prints. What the command starts must not inherit set-up's lock (descriptor 9).
slow() {
  local message=$1 log=$2 how_far=$3 beat code=0
  shift 3
  progress "$message"
  : >"$log"
  heartbeat "$message" "$log" "$how_far" 9>&- &
  beat=$!
  "$@" >"$log" 2>&1 9>&- || code=$?
  kill "$beat" 2>/dev/null || : # by then it may have ended
  wait "$beat" 2>/dev/null || :
  if [ -t 2 ]; then printf '\r\033[K' >&2; fi
  return "$code"
}

# In the background, where Ctrl-C does not reach it: ends with set-up.
heartbeat() { # MESSAGE LOG HOW_FAR
  local began=$SECONDS next=10
  while sleep 1 && kill -0 $$ 2>/dev/null; do
    if [ -t 2 ]; then
      printf '\r\033[Kset-up: %s: %s' "$1" "$("$3" "$2")" >&2
    elif [ $((SECONDS - began)) -ge "$next" ]; then
      progress "$1: $("$3" "$2")"
      next=$((next + 10))
    fi
  done
}

# shellcheck disable=SC2154  # heartbeat's
elapsed() { printf '%s s' $((SECONDS - began)); }

print_rows() {
  local entry tool version from state from_width=4
  for entry in "${rows[@]}"; do
    IFS='|' read -r tool version from state <<<"$entry"
    [ "${#from}" -le "$from_width" ] || from_width=${#from}
  done
  printf '%-16s %-12s %-*s  %s\n' TOOL VERSION "$from_width" FROM STATE
  for entry in "${rows[@]}"; do
    IFS='|' read -r tool version from state <<<"$entry"
    printf '%-16s %-12s %-*s  %s\n' "$tool" "$version" "$from_width" "$from" "$state"
  done
}

# finish: the report, then every problem; ends the script.
finish() {
  local text
  print_rows
  printf '\n'
  if [ "${#problems[@]}" -gt 0 ]; then
    for text in "${problems[@]}"; do printf '%s\n\n' "$text" >&2; done
    printf 'Set-up is not complete: %s problem(s), see above. Run it again once they are solved.\n' "${#problems[@]}" >&2
    exit 1
  fi
  if [ "$installed" -eq 0 ]; then
    printf 'Everything is there (%s s). ' "$SECONDS"
  else
    printf 'Ready after %s s. ' "$SECONDS"
  fi
  printf 'By hand: . .local/env.sh && %s\n' "$by_hand"
}

# at_least VERSION MINIMUM, whatever stands before the first digit of VERSION.
at_least() {
  local version=${1#"${1%%[0-9]*}"}
  [ -n "$version" ] && printf '%s\n%s\n' "$2" "$version" | sort -C -V
}

# system_tool NAME: its file on the caller's PATH without this project's own folders, so that what an earlier run
# installed never counts as the system's.
system_tool() { PATH=$system_path type -P "$1"; }

# outside_path PATH: PATH without the entries inside this checkout (.local/bin, node_modules/.bin).
outside_path() {
  local entry kept='' entries
  IFS=: read -r -a entries <<<"$1"
  for entry in "${entries[@]}"; do
    case "$entry/" in "$root"/*) ;; *) kept=$kept:$entry ;; esac
  done
  printf '%s\n' "${kept#:}"
}

# link TARGET [NAME]: into .local/bin; where it is in this checkout relative to it, so that a moved one still works.
link() {
  case "$1" in
    "$local_dir"/*) ln -sfn "../${1#"$local_dir"/}" "$local_dir/bin/${2:-${1##*/}}" ;;
    *) ln -sfn "$1" "$local_dir/bin/${2:-${1##*/}}" ;;
  esac
}

# unlink_own NAME...: the system's tool is used from now on.
unlink_own() {
  local name
  for name in "$@"; do rm -f -- "$local_dir/bin/$name"; done
}
