#!/usr/bin/env bash
# cache-key.sh: the keys of a cache whose key is made on this host, while one takes another's place.
# stdin: {cache, do: "show" | "start" | "switch" | "finish"}; stdout: {next: public half of the key that is to come, or null, current, trusted}
# Each step is one rename, or several of which the last one counts: cut off, it is done again.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/cache.sh"

need jq nix flock
read_request .cache.kind .do
use_cache
cache_find
[ -s "$CACHE_KEY.public" ] || fail CACHE_KEY_MISSING "the cache has no key at $KEYS" "run 'pulumi up': it opens the cache first"
exec 9>"$STATE/locks/cache-key.lock"
flock 9

# trust KEY...: these, and no others, besides the one that signs.
trust() {
  printf '%s\n' "$@" | sed '/^$/d' >"$CACHE_KEY.trusted.new"
  mv -- "$CACHE_KEY.trusted.new" "$CACHE_KEY.trusted"
}

trusted() {
  [ ! -e "$CACHE_KEY.trusted" ] || cat -- "$CACHE_KEY.trusted"
}

# public FILE: of the secret key in it.
public() {
  nix key convert-secret-to-public <"$1"
}

# finish_switch: the last part of one.
finish_switch() {
  local new
  new=$(cat "$CACHE_KEY.public")
  mapfile -t keys < <(trusted | grep -v -x -F -e "$new" || [ $? -eq 1 ])
  trust "${keys[@]}"
  rm -f -- "$CACHE_KEY.next"
}

[ ! -e "$CACHE_KEY.next" ] || [ "$(public "$CACHE_KEY.next")" != "$(cat "$CACHE_KEY.public")" ] || finish_switch
case $(asked .do) in
  show) ;;
  start)
    if [ ! -e "$CACHE_KEY.next" ]; then
      name=$(cut -d : -f 1 "$CACHE_KEY.public")
      (umask 077 && nix key generate-secret --key-name "${name%-*}-$((${name##*-} + 1))" >"$CACHE_KEY.next.new")
      mv -- "$CACHE_KEY.next.new" "$CACHE_KEY.next"
    fi
    mapfile -t keys < <({ trusted && public "$CACHE_KEY.next"; } | LC_ALL=C sort -u)
    trust "${keys[@]}"
    ;;
  switch)
    # Both are trusted from the first rename to the last: what is signed meanwhile is signed by one of them.
    new=$(public "$CACHE_KEY.next")
    mapfile -t keys < <({ trusted && cat "$CACHE_KEY.public"; } | LC_ALL=C sort -u)
    trust "${keys[@]}"
    printf '%s\n' "$new" >"$CACHE_KEY.public.new"
    cp -p -- "$CACHE_KEY.next" "$CACHE_KEY.secret.new"
    mv -- "$CACHE_KEY.secret.new" "$CACHE_KEY.secret"
    mv -- "$CACHE_KEY.public.new" "$CACHE_KEY.public"
    finish_switch
    ;;
  finish) trust "" ;;
esac
jq -cn --arg next "$([ ! -e "$CACHE_KEY.next" ] || public "$CACHE_KEY.next")" --arg current "$(cat "$CACHE_KEY.public")" --arg trusted "$(trusted)" \
  '{next: (if $next == "" then null else $next end), $current, trusted: [$trusted | split("\n")[] | select(. != "")]}'
