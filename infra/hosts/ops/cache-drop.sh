#!/usr/bin/env bash
# cache-drop.sh: takes away from the cache what a plan says, unless its pins have changed since the plan was made.
# stdin: {cache, digest: of the pins, as cache-inventory.sh gave it, paths, files, pins}; stdout: {"done": false where they have changed}
# Cut off in the middle, nothing that stays lacks anything, and the next collection goes on: the pins go last, and a path goes
# before what it refers to.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/ops/held.sh"

need jq nix sha256sum
open_held .digest .paths .files .pins
need_pins
held_alone
if [ "$(pins_digest)" != "$(asked .digest)" ]; then
  printf '{"done":false}\n'
  exit
fi
for part in paths files pins; do jq -r ".${part}[]" <<<"$REQUEST" >"$WORK/$part"; done
say "taking $(wc -l <"$WORK/paths") paths away"
held_drop_infos "$WORK/paths"
say "taking $(wc -l <"$WORK/files") archives away"
held_drop_files "$WORK/files"
held_drop_pins "$WORK/pins"
printf '{"done":true}\n'
