#!/usr/bin/env bash
# set-tags.sh: sets tags within a repository, one after the other.
# stdin {registry, moves: TAG, stands: digest or null, set: [{tag, from: TAG}...]}; stdout {digests: {TAG: digest}}
# TAG has to stand where the request says: somebody else may have moved it since that was read.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/ops/tags.sh"

need jq skopeo flock sha256sum
read_request .registry.kind .moves .set
open_work
mkdir -p "$STATE/locks"
exec 9>"$STATE/locks/tags.lock"
flock 9
moves=$(asked .moves)
open_registry "$moves"
stands=$(digest_of "$moves")
expected=${ASKED[.stands]-}
[ "$stands" = "$expected" ] ||
  fail PROMOTE_MOVED "$REFERENCE was moved by somebody else in the meantime" "look at what they did, then run the command again" "${stands:-no image}" "${expected:-no image}"
while read -r tag from; do
  set_tag "$tag" "$from"
  say "${REFERENCE%:*}:$tag is $DIGEST now"
  printf '%s %s\n' "$tag" "$DIGEST"
done < <(jq -r '.set[] | "\(.tag) \(.from)"' <<<"$REQUEST") >"$WORK/set"
jq -cnR '{digests: (reduce inputs as $line ({}; ($line | split(" ")) as [$tag, $digest] | .[$tag] = $digest))}' "$WORK/set"
