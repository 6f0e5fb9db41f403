#!/usr/bin/env bash
# ready.sh: says whether this host can build, before anything is started, and makes its folders.
# stdin {system, …}, stdout {"nix","system"}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

need jq nix nix-store skopeo zstd flock timeout
read_request .system
need_nix
system=$(asked .system)
found=$(nix eval --raw --impure --expr builtins.currentSystem)
[ "$system" = "$found" ] || fail HOST_SYSTEM "this host does not build for $system" \
  "set comfyui:systems to the host's, or choose another build host" "$found" "$system"
mkdir -p "$STATE"/{logs,locks,work,roots,records}
jq -cn --arg nix "$(nix --version)" --arg system "$found" '{nix: $nix, system: $system}'
