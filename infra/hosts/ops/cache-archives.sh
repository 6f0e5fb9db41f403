#!/usr/bin/env bash
# cache-archives.sh: pushes the archives of paths to the cache as files of their own, for ops/cache-host.sh to repair the paths from.
# Such a file is named by its contents, so it can be pushed where the path itself counts as valid.
# stdin: {cache, substituters, paths: names of store paths}
# stdout: {"archives": {PATH: the file's name in /nix/store}}, without paths that this host has not, or not undamaged
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/ops/held.sh"

need jq nix nix-store
open_held .paths
mapfile -t paths < <(jq -r '.paths[]' <<<"$REQUEST")
archives=()
for path in "${paths[@]}"; do
  nix-store --check-validity "/nix/store/$path" 2>/dev/null || continue
  nix-store --verify-path "/nix/store/$path" 2>"$WORK/said" || { say "$path is damaged here too" && continue; }
  nix-store --dump "/nix/store/$path" >"$WORK/${path:0:32}.nar"
  file=$(nix-store --add-fixed sha256 "$WORK/${path:0:32}.nar")
  rm -- "$WORK/${path:0:32}.nar"
  printf '%s\n' "$file" >>"$WORK/push"
  archives+=("$path" "${file#/nix/store/}")
done
if [ -s "$WORK/push" ]; then
  say "copying $(wc -l <"$WORK/push") archives to the cache"
  cache_send "$WORK/push" >"$WORK/log" 2>&1 || cache_send_failed "$(why "$WORK/log" 10)"
  xargs nix-store --delete <"$WORK/push" >/dev/null 2>"$WORK/said" || say "archives stay until the next collection: $(tail -n 1 "$WORK/said")"
fi
jq -cn '{archives: ([$ARGS.positional as $all | range(0; $all | length; 2) | {($all[.]): $all[. + 1]}] | add // {})}' --args "${archives[@]}"
