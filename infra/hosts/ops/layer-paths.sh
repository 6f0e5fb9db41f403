#!/usr/bin/env bash
# layer-paths.sh: what of each layer's store paths is the layer's own, and the largest of them.
# stdin {protocol, layers: [{name, storePath, below: [PATH...]}]}, stdout {"layers": [{name, paths, bytes, largest: [{path, size}]}]};
# a layer that is no more in the store is left out.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"

need jq nix
read_request .layers
readonly SHOWN=10
all=$(mktemp)
trap 'rm -f -- "$all" "$all.own" "$all.below"' EXIT

# sizes PATH...: a line `path size` for each store path that these need, sorted.
sizes() {
  [ $# -gt 0 ] || return 0
  nix path-info --recursive --size -- "$@" | awk '{ print $1, $2 }' | LC_ALL=C sort -u
}

jq -c '.layers[]' <<<"$REQUEST" | while IFS= read -r layer; do
  own=$(jq -r .storePath <<<"$layer")
  mapfile -t below < <(jq -r '.below[]' <<<"$layer")
  nix-store --check-validity "$own" "${below[@]}" 2>/dev/null || continue
  sizes "$own" >"$all.own"
  sizes "${below[@]}" >"$all.below"
  LC_ALL=C comm -23 "$all.own" "$all.below" |
    jq -cRn --argjson layer "$layer" --argjson shown "$SHOWN" '
      [inputs / " " | {path: .[0], size: (.[1] | tonumber)}]
      | {name: $layer.name, paths: length, bytes: (map(.size) | add // 0), largest: (sort_by(-.size) | .[:$shown])}'
done | jq -cs '{layers: .}'
