#!/usr/bin/env bash
# The Nix of another Debian release than this machine's, with its C library and all others, in a folder of its own:
#   bash infra/setup/debian-nix.sh SUITE FOLDER [PLACE]
# Makes FOLDER, with `nix` and its other commands in bin/, which run where the folder lies at PLACE (default: where it is). Called
# again for a folder that was moved, it fetches nothing. Wants apt, dpkg and patchelf on PATH; signatures are checked with Debian's
# keyring, and nothing of the machine's own apt or libraries is touched.
set -euo pipefail

# shellcheck source=../hosts/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../hosts/common.sh"
# shellcheck source=../hosts/debian-apt.sh
. "$HOSTS/debian-apt.sh"

commands=(nix-build nix-channel nix-collect-garbage nix-copy-closure nix-daemon nix-env nix-hash nix-instantiate nix-prefetch-url
  nix-shell nix-store)

# What apt would install with nix-bin on an empty machine, less what only its packages' scripts and its login daemons want.
chosen() {
  apt-get "${apt_options[@]}" -o APT::Install-Recommends=false -s install nix-bin |
    sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' |
    grep -E '^(nix-bin|lib[^=]*|zlib1g)=' | grep -v -E '^[^=]*perl|^lib(pam|systemd|semanage|deb|gdbm)|^[^=]*-common='
}

fetch_packages() { # FOLDER SUITE
  local deb
  mkdir -p "$1/debs" "$1/unpacked"
  debian_apt "$1/apt" "$2" amd64
  chosen >"$1/packages"
  (cd -- "$1/debs" && xargs -a "$1/packages" apt-get "${apt_options[@]}" -qq download >&2) ||
    fail PREFETCH_DOWNLOAD "apt could not download Nix of Debian $2" "run 'npm run setup' again"
  for deb in "$1"/debs/*.deb; do dpkg-deb -x "$deb" "$1/unpacked"; done
  rm -rf -- "$1/apt" "$1/debs"
  mv -- "$1/unpacked" "$1/root"
}

# Loader and libraries are those of the folder, wherever the machine has its own. Tried before it has its name.
set_paths() { # FOLDER PLACE
  local place=$2 libraries loader own command
  libraries=$(find "$1/root" -name '*.so*' -printf '%h\n' | sort -u | grep -E '/root(/usr)?/lib(/x86_64-linux-gnu)?(/nix)?$' | paste -sd :)
  loader=$(find "$1/root" -type f -name ld-linux-x86-64.so.2)
  mkdir -p "$1/bin"
  cp -- "$1/root/usr/bin/nix" "$1/bin/nix.new"
  "$loader" --library-path "$libraries" "$1/bin/nix.new" --version >&2 || fail PREFETCH_DOWNLOAD "Nix of another Debian release does not run here" "install Nix"
  patchelf --force-rpath --set-rpath "${libraries//"$1"/"$place"}" --set-interpreter "${loader//"$1"/"$place"}" "$1/bin/nix.new"
  # Where Nix's own libraries are apart (2.8), they look for the others by themselves.
  mapfile -t own < <(find "$1/root/usr/lib" -path '*/usr/lib/nix/*.so')
  [ "${#own[@]}" -eq 0 ] || patchelf --force-rpath --set-rpath "${libraries//"$1"/"$place"}" "${own[@]}"
  mv -f -- "$1/bin/nix.new" "$1/bin/nix"
  for command in "${commands[@]}"; do ln -sf nix "$1/bin/$command"; done
  printf '%s\n' "$place" >"$1/place"
}

main() {
  local suite=$1 folder place
  mkdir -p -- "$2"
  folder=$(cd -- "$2" && pwd -P) place=${3:-}
  need patchelf
  if [ ! -d "$folder/root" ]; then
    rm -rf -- "$folder/unpacked" "$folder/debs"
    fetch_packages "$folder" "$suite"
  fi
  set_paths "$folder" "${place:-$folder}"
}

main "$@"
