# shellcheck shell=bash disable=SC2034
# What the kinds of cache on another host have in common: what open-cache.sh writes down about them. Sourced by cache-KIND.sh.

CACHE_RECORD=$STATE/cache.json
CACHE_WANTS=(.cache.name .cache.publicKey)
CACHE_KEY=$KEYS/$(asked .cache.kind)
CACHE_NETRC=$KEYS/netrc
# Of open-cache.sh's request: the signing key, or by which names this host fetches the keys itself.
CACHE_KEY_WANTS=(.cache.signingKey)
[ -z "${ASKED[.cache.secrets]-}" ] || CACHE_KEY_WANTS=(.cache.secrets.region .cache.secrets.signingKey)

# What cache_find reads of the record. Global: this file is sourced within a function.
declare -gA RECORDED=()

# recorded PATH: one value of the record, as text; nothing where there is none.
recorded() {
  printf '%s' "${RECORDED[$1]-}"
}

# Requests of layers tell the cache by its name and key alone: where it is may change without building anything again.
cache_find() {
  local member found
  eval "RECORDED=($(jq -r "$BY_PATH" "$CACHE_RECORD" 2>/dev/null))"
  for member in kind name publicKey; do
    [ "$(recorded ".$member")" != "${ASKED[.cache.$member]-}" ] || continue
    found="$(recorded .name), key $(recorded .publicKey)"
    [ "${#RECORDED[@]}" -gt 0 ] || found="no $CACHE_RECORD"
    fail CACHE_NOT_OPEN "this host does not know where the cache $(asked .cache.name) is" \
      "run 'pulumi up --target-dependents --target **comfyui-cache', which opens it" "$found" "$(asked .cache.name), key $(asked .cache.publicKey)"
  done
  CACHE_STORE=$(recorded .url)
  CACHE_NAME="$(recorded .name) at $CACHE_STORE"
  CACHE_ON_FAILURE=$(recorded .onFailure)
  MIRROR=$(recorded .mirror.url)
  MIRROR_SUBSTITUTER=${RECORDED[.mirror.readUrl]-$MIRROR}
  CACHE_TRUSTED=$(jq -r '.trusted // [] | join(" ")' "$CACHE_RECORD")
  CACHE_ACCESS=("${ASKED_ANEW[@]}")
  [ ! -e "$CACHE_NETRC" ] || CACHE_ACCESS+=(--option netrc-file "$CACHE_NETRC")
}

# record_cache: everything of the request but its secrets, which have files of their own.
record_cache() {
  jq '.cache * {stack} | del(.signingKey, .secrets, .auth)' <<<"$REQUEST" >"$CACHE_RECORD.new"
  mv "$CACHE_RECORD.new" "$CACHE_RECORD"
}

cache_probe() {
  local problem
  problem=$(store_answers "$CACHE_STORE" "${CACHE_ACCESS[@]}") || cache_unreachable "$(grep '^error' <<<"$problem" | tail -n 1)"
}

cache_unreachable() {
  case $1 in
    *"HTTP error 401"* | *"HTTP error 403"*)
      fail CACHE_UNAUTHORIZED "the cache $CACHE_NAME does not let this host read: $1" "correct binaryCache.auth (of a bucket: this host's credentials for AWS), then run 'pulumi up' again" ;;
    *)
      cache_outage CACHE_UNREACHABLE "the cache $CACHE_NAME cannot be reached: $1" \
        "see that its host and its server run and that this host may reach it; with binaryCache.onFailure: continue layers are built without it" ;;
  esac
}

# Another host's collection cannot be held up from here; where one was in the way, the push is done again.
cache_hold() {
  return 0
}

cache_release() {
  return 0
}

# Nix asks a server for each path it takes from it, and so finds a damaged one; mending it is the cache host's affair.
cache_mend() {
  return 0
}

cache_remove() {
  say "the cache $(asked .cache.name) is left: it has a host of its own; the keys of this host are removed"
  rm -rf -- "$KEYS" "$CACHE_RECORD"
  removed+=("$KEYS" "$CACHE_RECORD")
}
