# What set-up makes or downloads for good, by version: in COMFYUI_DOWNLOADS, from where another checkout takes it. Sourced by ../setup.sh.
# shellcheck shell=bash

tools=$downloads/tools

# keep NAME MAKE ARG...: the folder $tools/NAME. Where it is not there, `MAKE FOLDER ARG...` fills one that gets this name at the
# end: what is cut off never looks whole. Two set-ups make it once. Sets keep_state; false where MAKE failed.
keep() {
  local name=$1 make=$2 turn partial=$tools/.$1.partial code=0
  shift 2
  keep_state=found
  [ ! -d "$tools/$name" ] || return 0
  mkdir -p "$tools"
  exec {turn}>"$tools/.$name.lock"
  if ! flock -n "$turn"; then
    progress "waiting for another set-up, which makes $name"
    flock "$turn"
  fi
  if [ ! -d "$tools/$name" ]; then
    rm -rf -- "$partial"
    mkdir -- "$partial"
    if "$make" "$partial" "$@" && mv -- "$partial" "$tools/$name"; then keep_state=installed; else code=1; fi
    rm -rf -- "$partial"
  fi
  exec {turn}>&-
  return "$code"
}

# place FOLDER TARGET: what is kept in FOLDER, at TARGET: by hard links where the disk allows it, so that it takes no room.
place() {
  rm -rf -- "$2.new"
  mkdir -p -- "$2.new"
  cp -al -- "$1/." "$2.new" 2>/dev/null || cp -a --remove-destination -- "$1/." "$2.new" || return 1
  rm -rf -- "$2"
  mv -- "$2.new" "$2"
}
