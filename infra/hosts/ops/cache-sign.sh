#!/usr/bin/env bash
# cache-sign.sh: adds the signature of this host's key to paths of the cache.
# stdin: {cache, paths}; stdout: {"signed": how many}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/ops/held.sh"

need jq nix
open_held .paths
held_alone
mapfile -t paths < <(jq -r '.paths[] | "/nix/store/\(.)"' <<<"$REQUEST")
for ((at = 0; at < ${#paths[@]}; at += 200)); do
  say "signing: $at of ${#paths[@]}"
  problem=$(nix store sign --store "$CACHE_STORE" "${CACHE_ACCESS[@]}" --key-file "$CACHE_KEY.secret" "${paths[@]:at:200}" 2>&1) ||
    fail CACHE_SIGN "paths of the cache could not be signed: $(tail -n 1 <<<"$problem")" "see that the cache can be written, then run it again"
done
jq -cn --argjson signed "${#paths[@]}" '{$signed}'
