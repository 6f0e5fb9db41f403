#!/usr/bin/env bash
# cache-mend.sh: takes paths away from the cache that are there without a good signature or with other contents, and copies them
# there again, signed, as far as this host has them.
# stdin: {cache, substituters, paths, files: their archives}; stdout: {"lacking": paths that this host has not}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/ops/held.sh"

need jq nix nix-store
open_held .paths .files
for part in paths files; do jq -r ".${part}[]" <<<"$REQUEST" >"$WORK/$part"; done

held_alone
held_drop_infos "$WORK/paths"
held_drop_files "$WORK/files"
sed 's|^|/nix/store/|' "$WORK/paths" | LC_ALL=C sort >"$WORK/all"
xargs -r nix-store --check-validity --print-invalid <"$WORK/all" | LC_ALL=C sort >"$WORK/lacking"
LC_ALL=C comm -23 "$WORK/all" "$WORK/lacking" >"$WORK/push"
if [ -s "$WORK/push" ]; then
  say "copying $(wc -l <"$WORK/push") paths to the cache"
  cache_send "$WORK/push" >"$WORK/log" 2>&1 || cache_send_failed "$(why "$WORK/log" 10)"
fi
jq -cnR '{lacking: [inputs | ltrimstr("/nix/store/")]}' <"$WORK/lacking"
