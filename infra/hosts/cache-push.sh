#!/usr/bin/env bash
# All that the key of the build host can do on the cache host: sshd runs this whatever is asked for. As SSH_ORIGINAL_COMMAND
#   nix-store --serve --write   takes store paths, of which Nix refuses those that no trusted key signed
#   pin NAME PATH...            keeps the paths from the garbage collector until NAME is pinned to others
set -euo pipefail
# The group may take roots away: those who look after the cache.
umask 002
. "$(dirname -- "${BASH_SOURCE[0]}")/messages.sh"

readonly ROOTS=/nix/var/nix/gcroots/comfyui
readonly PART='[A-Za-z0-9_][A-Za-z0-9._+-]*'

# enough_disk: a store that is full to the brim can neither be added to nor collected.
enough_disk() {
  local free size least
  read -r free size < <(df --block-size=1M --output=avail,size /nix/store | tail -n 1)
  least=$((size / 20 > 512 ? size / 20 : 512))
  [ "$free" -ge "$least" ] || fail CACHE_DISK_FULL "the cache's disk is nearly full, so nothing more is taken" \
    "drop old images from the cache, or give it a larger disk" "$free MiB free of $size MiB" "at least $least MiB free"
}

# pin NAME PATH...: one link per path in the folder NAME. New ones come before old ones go.
pin() {
  local name=$1 path entry lacking=''
  shift
  [[ $name =~ ^$PART(/$PART)*$ && ${#name} -le 300 ]] ||
    fail CACHE_PIN_NAME "a pin cannot be named so" "use parts of letters, digits and . _ + -, joined by slashes" "$name"
  [ "$#" -gt 0 ] || fail CACHE_PIN_PATH "nothing was named to pin to $name" "name at least one store path"
  for path in "$@"; do
    [[ $path =~ ^/nix/store/[0-9a-z]{32}-[A-Za-z0-9._?=+-]+$ ]] || lacking=$path
  done
  lacking=${lacking:-$(nix-store --check-validity --print-invalid "$@")}
  [ -z "$lacking" ] || fail CACHE_PIN_PATH "the cache does not have this path" "push it first, then pin it" "${lacking%%$'\n'*}"
  mkdir -p -- "$ROOTS/$name"
  for path in "$@"; do
    ln -sfn -- "$path" "$ROOTS/$name/${path##*/}"
  done
  for entry in "$ROOTS/$name"/*; do
    [ ! -L "$entry" ] || [[ " $* " = *" /nix/store/${entry##*/} "* ]] || rm -- "$entry"
  done
}

# What is asked for is words, and nothing else: no quote, variable or pattern means anything here.
main() {
  local words=()
  read -ra words <<<"${SSH_ORIGINAL_COMMAND:-}"
  case "${SSH_ORIGINAL_COMMAND:-}" in
    "nix-store --serve --write")
      enough_disk
      exec nix-store --serve --write
      ;;
    "pin "*) pin "${words[@]:1}" ;;
    *) fail CACHE_KEY_LIMITED "this key can push to the cache and pin what is there, and nothing else" \
      "log in with another key" "${SSH_ORIGINAL_COMMAND:-a shell}" "'nix-store --serve --write' or 'pin NAME PATH...'" ;;
  esac
}

main
