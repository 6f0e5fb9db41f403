#!/usr/bin/env bash
# release.sh: run when the stack is destroyed. Takes away this host's work copies and garbage collector roots; the cache
# and the published image only where the request says so. Logs and records of builds stay.
# stdin as ready.sh, stdout {"removed": [...]}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/cache.sh"

need jq
read_request .destroy.cache .destroy.image .cache.kind .registry.kind
use_cache
demand "${CACHE_WANTS[@]}"
removed=()
# Prefetched files are roots of set-up, not of a stack.
for folder in "$STATE/work" "$STATE/roots/layers" "$STATE/roots/images" "$STATE/owed"; do
  [ ! -e "$folder" ] || { rm -rf -- "$folder"; removed+=("$folder"); }
done
if [ "$(asked .destroy.cache)" = delete ]; then cache_remove; fi
if [ "$(asked .destroy.image)" = delete ]; then
  case $(asked .registry.kind) in
    oci-directory) folder=$ROOT/$(asked .registry.path); rm -rf -- "$folder"; removed+=("$folder") ;;
    registry) say "images in $(asked .registry.repository) are left: a registry's tags may be in use elsewhere" ;;
  esac
fi
printf '%s\n' "${removed[@]}" | jq -cnR '{removed: [inputs | select(. != "")]}'
