#!/usr/bin/env bash
# cache-warm.sh: fetches paths from the cache into this host's store, and keeps them from its garbage collector until the next run.
# stdin: {cache, substituters, paths}; stdout: {"fetched": how many were not here}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/cache.sh"

need jq nix nix-store
read_request .cache.kind .substituters .paths
use_cache
cache_find
open_work
find_trust
cache_probe
nix_options

jq -r '.paths[] | "/nix/store/\(.)"' <<<"$REQUEST" | LC_ALL=C sort -u >"$WORK/wanted"
rm -rf -- "$STATE/roots/warm.new"
mkdir -p "$STATE/roots/warm.new"
cd -- "$WORK"
xargs -r nix build -v --out-link "$STATE/roots/warm.new/path" "${NIX_OPTIONS[@]}" <"$WORK/wanted" 2>&1 >/dev/null |
  tee "$WORK/log" | { grep --line-buffered "^copying path '" >&2 || [ $? -eq 1 ]; } ||
  fail CACHE_LACKS "not all that the next run needs could be fetched: $(grep "^error" "$WORK/log" | tail -n 1)" "'npm run ops -- cache verify' says what the cache lacks, and mends it"
rm -rf -- "$STATE/roots/warm"
mv -- "$STATE/roots/warm.new" "$STATE/roots/warm"
jq -cn --argjson fetched "$(grep -c "^copying path '" "$WORK/log" || [ $? -eq 1 ])" '{$fetched}'
