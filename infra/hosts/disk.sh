# shellcheck shell=bash
# Room on this host's disks. Sourced, never run.

# What a build wants where nothing is known of it yet, and what logs and copies of sources want; bytes.
readonly DISK_FLOOR_STORE=1000000000 DISK_FLOOR_STATE=100000000

# gigabytes BYTES
gigabytes() {
  awk -v bytes="$1" 'BEGIN { printf "%.1f GB", bytes / 1e9 }'
}

# free_on FOLDER...: bytes that this user may still write there, a line each.
free_on() {
  df --output=avail -B1 -- "$@" | tail -n +2 | tr -d ' '
}

# guard_disk LAYER: a build that could not end is not started. Where the layer was built before, it wants what its largest build
# had.
guard_disk() {
  local store=/nix/store wanted free
  [ -e "$store" ] || store=/nix
  wanted=$(cat "$STATE/records/$1"/*.json 2>/dev/null | sed -n 's/.*"buildBytes":\([0-9]*\).*/\1/p' | sort -n | tail -n 1) || [ $? -eq 1 ]
  [ "${wanted:-0}" -gt "$DISK_FLOOR_STORE" ] || wanted=$DISK_FLOOR_STORE
  mapfile -t free < <(free_on "$store" "$STATE")
  if [ "${free[0]}" -lt "$wanted" ] || [ "${free[1]}" -lt "$DISK_FLOOR_STATE" ]; then
    disk_full "there is too little room on this host to build $1; nothing was started" \
      "$store $(gigabytes "$wanted"), $STATE $(gigabytes "$DISK_FLOOR_STATE") free"
  fi
}

# disk_full PROBLEM EXPECTED
disk_full() {
  fail HOST_DISK_FULL "$1" "make room ('nix-collect-garbage' frees what no root keeps) or enlarge the disk, then run 'pulumi up' again" \
    "/nix $(gigabytes "$(free_on /nix)"), $STATE $(gigabytes "$(free_on "$STATE")") free" "$2"
}
