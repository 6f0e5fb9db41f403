# shellcheck shell=bash
# What a binary cache holds, for the operators' scripts. What differs by kind is in held-KIND.sh, each of which defines:
#   HELD_TOOLS           programs that it takes besides Nix
#   HELD_LACKS           what this host lacks to pin in the cache and to take away from it, where it lacks something
#   held_infos           what the cache says of its paths, as the texts of .narinfo files, one after the other
#   held_files           its archives: a line SIZE NAME each; nothing where it keeps none
#   held_pins            its pins: a line `Pin: OWNER/NAME TIME`, then the paths, a line each
#   held_free            bytes that may still be written there; nothing where nobody knows
#   held_alone           waits for pushes that are under way, and lets none begin before the script ends
#   held_drop_infos LIST takes away what the cache says of the paths whose names are in the file LIST, in this order
#   held_drop_files LIST takes away these archives
#   held_drop_pins LIST  takes away these pins, OWNER/NAME a line
#   held_unpin PIN       takes one away

. "$HOSTS/cache.sh"

# open_held FILTER...: finds the cache of the request, which has these values, and what tells its contents. WORK is a folder of
# this run alone.
open_held() {
  read_request .cache.kind "$@"
  use_cache
  HELD_LACKS=""
  # shellcheck source=/dev/null
  . "$HOSTS/ops/held-$(asked .cache.kind).sh"
  need "${HELD_TOOLS[@]}"
  cache_find
  # Who asks for something to be done there is to know when it was not.
  CACHE_ON_FAILURE=fail
  open_work
  trap 'cache_release; rm -rf -- "$WORK"' EXIT
}

# need_pins: ends a script that this host cannot run on the cache.
need_pins() {
  [ -z "$HELD_LACKS" ] || fail CACHE_NO_PINS "this host cannot pin in the cache $CACHE_NAME, nor take away from it" "install what is missing on the build host" "no $HELD_LACKS" "$HELD_LACKS"
}

# pins_digest: changes when, and only when, a pin does.
pins_digest() {
  held_pins | sha256sum | cut -c 1-64
}

# local_pins: in the form of held_pins what this host's own roots keep: of images the image and the layers' contents, of layers
# what was built last.
local_pins() {
  local link name
  for link in "$STATE"/roots/images/* "$STATE"/roots/layers/*; do
    [ -L "$link" ] || continue
    name=${link##*/}
    case $link in
      */images/*) name=images/${name:0:12} ;;
      *) name=layers/$(sed -E 's/-[0-9]+$//' <<<"$name") ;;
    esac
    printf '%s %s %s\n' "$name" "$(stat -c %Y "$link")" "$(readlink -- "$link")"
  done | awk '$1 != name { name = $1; print "Pin: local/" $1, $2 } { print $3 }'
}
