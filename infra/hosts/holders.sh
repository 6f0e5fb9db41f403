# Which builds go on now, and who does them: by the locks, which a build holds to its end even where its script is gone.
# Sourced, never run.
# shellcheck shell=bash

# asked_running: the layers (and `image`) among the request's `names` that are being built, a line each.
asked_running() {
  local name
  for name in $(jq -r '.names[] | select(test("^[a-z0-9-]+$"))' <<<"$REQUEST"); do
    if [ -s "$STATE/work/$name/run.json" ] && [ -n "$(holders "$name")" ]; then printf '%s\n' "$name"; fi
  done
}

# holders NAME: ids of the processes that hold this lock; those that wait for it have it open too, but not as their own.
holders() {
  local descriptor
  # Other users' processes, and those that end meanwhile, cannot be read.
  { find /proc/[0-9]*/fd -maxdepth 1 -lname "$(realpath -- "$STATE")/locks/$1.lock" 2>/dev/null || :; } |
    while IFS=/ read -r _ _ process _ descriptor; do
      if grep -q -s '^lock:.*FLOCK' "/proc/$process/fdinfo/$descriptor"; then printf '%s\n' "$process"; fi
    done | sort -u
}

# run_of NAME FILTER: a value of the run that goes on; nothing where it has ended meanwhile.
run_of() {
  local run
  run=$(cat "$STATE/work/$1/run.json" 2>/dev/null) || return 0
  jq -r "$2" <<<"$run"
}
