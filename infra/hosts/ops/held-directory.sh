# shellcheck shell=bash disable=SC2034
# A cache in a folder of this host. Sourced by held.sh, which says what each function is for.

HELD_TOOLS=(awk find flock)

held_infos() {
  [ ! -d "$CACHE_NAME" ] || find "$CACHE_NAME" -maxdepth 1 -name '*.narinfo' -print0 | LC_ALL=C sort -z | xargs -0 -r cat
}

held_files() {
  [ ! -d "$CACHE_NAME/nar" ] || find "$CACHE_NAME/nar" -type f -printf '%s nar/%P\n'
}

held_pins() {
  [ ! -d "$CACHE_NAME/pins" ] || find "$CACHE_NAME/pins" -name paths -printf '%T@ %P\n' | LC_ALL=C sort -k 2 | while read -r time file; do
    printf 'Pin: %s %s\n' "${file%/paths}" "$time"
    cat -- "$CACHE_NAME/pins/$file"
  done
}

held_free() {
  [ ! -d "$CACHE_NAME" ] || df --output=avail -B1 -- "$CACHE_NAME" | tail -n 1 | tr -d ' '
}

held_alone() {
  mkdir -p -- "$CACHE_NAME"
  exec 8>"$CACHE_NAME/lock"
  flock --nonblock 8 || { say "waiting for a push to the cache that is under way" && flock 8; }
}

held_drop_infos() {
  sed -E "s|^([0-9a-z]{32})-.*$|$CACHE_NAME/\1.narinfo|" "$1" | tr '\n' '\0' | xargs -0 -r rm -f --
}

held_drop_files() {
  sed "s|^|$CACHE_NAME/|" "$1" | tr '\n' '\0' | xargs -0 -r rm -f --
}

held_drop_pins() {
  local pin
  while IFS= read -r pin; do held_unpin "$pin"; done <"$1"
}

held_unpin() {
  rm -f -- "$CACHE_NAME/pins/$1/paths"
  [ ! -d "$CACHE_NAME/pins" ] || find "$CACHE_NAME/pins" -mindepth 1 -type d -empty -delete
}
