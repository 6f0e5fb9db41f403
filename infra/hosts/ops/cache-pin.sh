#!/usr/bin/env bash
# cache-pin.sh: keeps an image of the cache whatever a collection takes, or no longer.
# stdin: {cache, owner: whose pin it is, flavor, compression, tag, keep: true or false}; stdout: {"paths": how many are pinned}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/../nix.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/../cache.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/held.sh"

need jq nix
read_request .cache.kind .owner .tag .keep
use_cache
use_held
cache_find
owner=$(asked .owner)
tag=$(asked .tag)
if [ "$(asked .keep)" = false ]; then
  held_unpin "$owner/named/$tag"
  printf '{"paths":0}\n'
  exit
fi
{ held_pins && local_pins; } |
  awk -v pin="$owner/images/$tag" -v here="local/images/$tag" '/^Pin: / { on = $2 == pin || $2 == here; next } on' | LC_ALL=C sort -u >"$STATE/pinned.$$"
mapfile -t paths <"$STATE/pinned.$$"
rm -f -- "$STATE/pinned.$$"
[ "${#paths[@]}" -gt 0 ] || fail CACHE_IMAGE_UNKNOWN "the cache has no image $tag of $owner" "name one that 'ops -- cache status' lists"
problem=$(cache_pin "named/$tag" "${paths[@]}" 2>&1) || cache_send_failed "$problem"
jq -cn '{paths: ($ARGS.positional | length)}' --args "${paths[@]}"
