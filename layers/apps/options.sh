# shellcheck shell=bash disable=SC2154
# What the apps have in common: options, and `nix build` of one attribute.
set -euo pipefail

usage() {
  echo "usage: nix run path:./layers#$1 -- [--flavor NAME] [--compression zstd|gzip] $2" >&2
  exit 2
}

# read_options NAME POSITIONAL ARGUMENT...: sets flavor, compression and positional, and the flavor's layers.
read_options() {
  local name=$1 more=$2
  shift 2
  positional=()
  while [ $# -gt 0 ]; do
    case $1 in
      --flavor | --compression)
        [ $# -ge 2 ] || usage "$name" "$more"
        printf -v "${1#--}" %s "$2"
        shift
        ;;
      -*) usage "$name" "$more" ;;
      *) positional+=("$1") ;;
    esac
    shift
  done
  if [ -z "${layers_of[$flavor]:-}" ]; then
    echo "error: there is no flavor $flavor; these are: ${!layers_of[*]}" >&2
    exit 2
  fi
  # shellcheck disable=SC2034  # read by the apps
  read -ra layers <<< "${layers_of[$flavor]}"
  # shellcheck disable=SC2034
  read -ra with_blob <<< "${with_blob_of[$flavor]}"
}

# nix_build LOG ATTRIBUTE...: prints the store paths; Nix's messages go to the log.
nix_build() {
  local log=$1 attribute references=()
  shift
  for attribute in "$@"; do references+=("$flake#legacyPackages.$system.$flavor.$compression.$attribute"); done
  nix --extra-experimental-features 'nix-command flakes' build --no-link --print-out-paths --print-build-logs \
    "${references[@]}" 2> "$log"
}
