#!/usr/bin/env bash
# cache-pin.sh: keeps an image of the cache whatever a collection takes, or no longer.
# stdin: {cache, owner: whose pin it is, flavor, compression, tag, keep: true or false}; stdout: {"paths": how many are pinned}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/ops/held.sh"

need jq nix
open_held .owner .tag .keep
need_pins
owner=$(asked .owner)
tag=$(asked .tag)
if [ "$(asked .keep)" = false ]; then
  held_unpin "$owner/named/$tag"
  printf '{"paths":0}\n'
  exit
fi
# A collection that is under way may be taking it away.
cache_hold
[ "$CACHED" = true ] || fail CACHE_BUSY "the cache cannot be written now" "see the warning above; then run it again"
{ held_pins && local_pins; } |
  awk -v pin="$owner/images/$tag" -v here="local/images/$tag" '/^Pin: / { on = $2 == pin || $2 == here; next } on' | LC_ALL=C sort -u >"$WORK/pinned-paths"
mapfile -t paths <"$WORK/pinned-paths"
[ "${#paths[@]}" -gt 0 ] || fail CACHE_IMAGE_UNKNOWN "the cache has no image $tag of $owner" "name one that 'ops -- cache status' lists"
problem=$(cache_pin "named/$tag" "${paths[@]}" 2>&1) || cache_send_failed "$problem"
jq -cn '{paths: ($ARGS.positional | length)}' --args "${paths[@]}"
