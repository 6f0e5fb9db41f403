#!/usr/bin/env bash
# release.sh: run when the stack is destroyed. Takes away this host's work copies and garbage collector roots; the cache
# and the published image only where the request says so, and otherwise says where they stay. Logs, records and the history of
# builds stay.
# stdin as ready.sh, stdout {"removed": [...]}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
. "$HOSTS/cache.sh"

need jq
read_request .destroy.cache .destroy.image .cache.kind .registry.kind
use_cache
demand "${CACHE_WANTS[@]}"
removed=() stays=()
# Prefetched files are roots of set-up, not of a stack.
for folder in "$STATE/work" "$STATE/roots/layers" "$STATE/roots/images" "$STATE/owed" "$STATE/owed-mirror"; do
  [ ! -e "$folder" ] || { rm -rf -- "$folder"; removed+=("$folder"); }
done

# keep WHAT FOLDER...: notes the first of them, with its size, and the command that deletes all.
keep() {
  [ ! -e "$2" ] || stays+=("$1 stays: $2 ($(du -sh -- "$2" | cut -f 1)); to delete it: rm -rf$(printf ' %q' "${@:2}")")
}

case $(asked .destroy.cache)-$(asked .cache.kind) in
  delete-*) cache_remove ;;
  keep-directory) cache_find; keep "the cache" "$CACHE_NAME" "$KEYS" ;;
  keep-*) stays+=("the cache $(asked .cache.name) stays") ;;
esac
case $(asked .destroy.image)-$(asked .registry.kind) in
  delete-oci-directory) folder=$ROOT/$(asked .registry.path); rm -rf -- "$folder"; removed+=("$folder") ;;
  keep-oci-directory) keep "the image" "$ROOT/$(asked .registry.path)" ;;
  delete-registry) stays+=("images in $(asked .registry.repository) stay: a registry's tags may be in use elsewhere") ;;
  keep-registry) stays+=("images in $(asked .registry.repository) stay") ;;
esac
# Under pulumi on this machine it is a message of the run, which a terminal still shows in the end.
if [ "${#stays[@]}" -gt 0 ]; then
  text=$(printf '%s\n' "${stays[@]}")
  { [ -e "$ROOT/infra/tell.ts" ] && command -v node >/dev/null && node "$ROOT/infra/tell.ts" <<<"$text"; } || say "$text"
fi
printf '%s\n' "${removed[@]}" | jq -cnR '{removed: [inputs | select(. != "")]}'
