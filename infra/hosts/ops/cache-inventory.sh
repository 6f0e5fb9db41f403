#!/usr/bin/env bash
# cache-inventory.sh: what the cache holds, and what of it this host's own roots name.
# stdin: {cache, paths: names of store paths that are asked for where the cache cannot list what it has};
# stdout: one JSON object, infra/ops/cache/inventory.ts
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/ops/held.sh"

need jq nix nix-store sha256sum
open_held .paths
[ -s "$CACHE_KEY.public" ] || fail CACHE_KEY_MISSING "the cache has no key at $KEYS" "run 'pulumi up': it opens the cache first"

problem=$(cache_probe 2>&1) || [ -n "$problem" ] || problem="the cache does not answer"
for part in infos files pins free; do : >"$WORK/$part"; done
if [ -z "$problem" ]; then
  held_infos >"$WORK/infos"
  held_files >"$WORK/files"
  held_pins >"$WORK/pins"
  held_free >"$WORK/free"
fi
local_pins >"$WORK/local"
jq -cn --arg problem "$problem" --arg location "$CACHE_STORE" --arg keys "$(cache_keys)" \
  --rawfile infos "$WORK/infos" --rawfile files "$WORK/files" --rawfile pins "$WORK/pins" --rawfile local "$WORK/local" --rawfile free "$WORK/free" \
  --arg lacks "$HELD_LACKS" --arg digest "$(sha256sum <"$WORK/pins" | cut -c 1-64)" '
  {problem: (if $problem == "" then null else $problem end), $location, publicKeys: ($keys | split(" ") | map(select(. != ""))),
   $infos, $files, $pins, $local, $digest, lacks: (if $lacks == "" then null else $lacks end), freeBytes: ($free | if . == "" then null else tonumber end)}'
