#!/usr/bin/env bash
# cache-check.sh: reads archives of the cache as a client does, and compares their hashes.
# stdin: {cache, paths: names of store paths}; stdout: {"damaged": [{path, problem}]}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/cache.sh"

need jq nix
read_request .cache.kind .paths
use_cache
cache_find

# contents PATH...: fails where one of them is not what the cache says it is.
contents() {
  nix store verify --store "$CACHE_STORE" --no-trust "${CACHE_ACCESS[@]}" "$@" 2>&1
}

mapfile -t paths < <(jq -r '.paths[] | "/nix/store/\(.)"' <<<"$REQUEST")
damaged=()
for ((at = 0; at < ${#paths[@]}; at += 25)); do
  say "reading archives: $at of ${#paths[@]}"
  # What is wrong is said of the whole portion, and not always of which path.
  contents "${paths[@]:at:25}" >/dev/null || for path in "${paths[@]:at:25}"; do
    problem=$(contents "$path") || damaged+=("${path#/nix/store/}" "$(grep -v '^checking ' <<<"$problem" | tail -n 1 | cut -c 1-500)")
  done
done
jq -cn '{damaged: [$ARGS.positional as $all | range(0; $all | length; 2) | {path: $all[.], problem: $all[. + 1]}]}' --args "${damaged[@]}"
