# shellcheck shell=bash
# The bucket that mirrors a cache, where it has one: read after the cache, and given what the cache got, whose signatures it keeps.
# It is never a reason to fail: what it lacks stays noted on this host, and goes there with the next push. Sourced by cache.sh.

. "$HOSTS/cache-bucket.sh"

# Where it is written to, and by which address it is read; nothing where there is none. As cache_find leaves them.
# shellcheck disable=SC2034  # read by nix.sh and nix-settings.sh
MIRROR="" MIRROR_SUBSTITUTER=""
# Whether it answers, as far as this run knows.
MIRRORED=true

mirror_failed() {
  say "warning[CACHE_MIRROR]: the mirror $MIRROR $1; the cache has everything: the next push brings the mirror what it lacks"
  MIRRORED=false
}

# Nix is not to wait for a dead bucket at each path that it looks for.
mirror_probe() {
  local problem
  [ -n "$MIRROR" ] || return 0
  problem=$(store_answers "$MIRROR") || mirror_failed "cannot be used: $(grep '^error' <<<"$problem" | tail -n 1)"
}

# mirror_deliver LOG NAME LIST: copies the paths in the file LIST, and all that earlier runs could not, as far as it is still here.
mirror_deliver() {
  local log=$1 notes list=$WORK/mirror from
  [ -n "$MIRROR" ] || return 0
  mkdir -p "$STATE/owed-mirror"
  exec 8>"$STATE/locks/mirror.lock"
  flock 8
  mv -- "$3" "$STATE/owed-mirror/${2//\//_}"
  if [ "$MIRRORED" = true ]; then
    notes=("$STATE"/owed-mirror/*)
    LC_ALL=C sort -u -- "${notes[@]}" >"$list.all"
    xargs -r nix-store --check-validity --print-invalid <"$list.all" | LC_ALL=C sort >"$list.gone"
    LC_ALL=C comm -23 "$list.all" "$list.gone" >"$list"
    from=$(stat -c %s -- "$log")
    if bucket_send "$MIRROR" "$list" >>"$log" 2>&1; then
      rm -f -- "${notes[@]}"
    else
      mirror_failed "could not be copied to: $(why <(tail -c "+$((from + 1))" -- "$log") 3 | tr -s ' \n' ' ')"
    fi
  fi
  exec 8>&-
}
