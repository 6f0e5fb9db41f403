#!/usr/bin/env bash
# ready.sh: says whether this host can build, before anything is started, and makes its folders.
# stdin {system, builders, …}, stdout {"nix","system","builderKey"}; builderKey: the public key by which it reaches its builders
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

need jq nix nix-store skopeo zstd flock timeout
read_request .system
need_nix
system=$(asked .system)
found=$(nix eval --raw --impure --expr builtins.currentSystem)
[ "$system" = "$found" ] || jq -e --arg system "$system" 'any(.builders[]?; .systems | index($system))' <<<"$REQUEST" >/dev/null ||
  fail HOST_SYSTEM "this host does not build for $system" \
    "set comfyui:systems to the host's, choose another build host, or give it a builder for that system" "$found" "$system"
mkdir -p "$STATE"/{logs,locks,work,roots,records}
builder_key=/etc/nix/builder_ed25519.pub
jq -cn --arg nix "$(nix --version)" --arg system "$found" --arg key "$([ ! -r $builder_key ] || cat $builder_key)" \
  '{nix: $nix, system: $system, builderKey: (if $key == "" then null else $key end)}'
