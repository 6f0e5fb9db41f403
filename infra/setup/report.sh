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

# progress MESSAGE: something slow begins.
progress() { say "set-up: $1"; }

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

# link TARGET...: each into .local/bin, relative to it, so that a moved checkout still works.
link() {
  local target
  for target in "$@"; do
    ln -sfn "../${target#"$local_dir"/}" "$local_dir/bin/${target##*/}"
  done
}

# unlink_own NAME...: the system's tool is used from now on.
unlink_own() {
  local name
  for name in "$@"; do rm -f -- "$local_dir/bin/$name"; done
}
