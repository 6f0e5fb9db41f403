# The binary cache, as far as it is the same for every kind. Sourced, never run.
# shellcheck shell=bash
#
# What differs by kind is in cache-KIND.sh, each of which defines all of these:
#   CACHE_WANTS           what every request must have of the cache; cache_find fails without it
#   CACHE_OPEN_WANTS      what the request of open-cache.sh must have besides
#   CACHE_TOOLS           programs that it takes besides Nix
#   CACHE_KEY             path of the signing key's files, without .secret and .public
#   record_cache          writes down what layers' requests do not say
#   cache_find            finds out where the cache is: CACHE_NAME for people, CACHE_STORE for Nix; and how to use it
#   cache_substituter     the URL by which a build reads it
#   cache_open            makes it ready for use; members of open-cache.sh's answer, as JSON, into CACHE_OPENED
#   cache_probe           ends the script, or calls cache_outage, where it does not answer
#   cache_send LIST       copies the paths in the file LIST with their closures, signed
#   cache_send_failed WHY ends the script, or calls cache_outage; WHY: the last ten lines that the copy said
#   cache_mend LOG        takes away copies that the build in this log found damaged
#   cache_pin NAME PATH.. keeps these of its paths through a collection there, under this name of the stack's
#   cache_hold            lets no collection there begin before cache_release; cache_release
#   cache_signature_fix   what to do about a path without a good signature
#   cache_remove          takes it away with its key; what was removed is added to the list `removed`

readonly CACHE_KINDS=(directory nix-serve s3)

. "$HOSTS/nix.sh"
. "$HOSTS/path-infos.sh"
. "$HOSTS/cache-mirror.sh"

# As cache_find leaves them where it says nothing else; read by the other scripts too.
# shellcheck disable=SC2034
CACHE_TRUSTED="" CACHE_ACCESS=() CACHE_NETRC="" CACHE_ON_FAILURE=fail
# Whether all of what this run was to push is in the cache; false from the moment that the cache fails, which is then left alone.
CACHED=true

# use_cache: the functions of the request's kind of cache.
use_cache() {
  local kind
  kind=$(asked .cache.kind)
  [[ " ${CACHE_KINDS[*]} " = *" $kind "* ]] ||
    fail REQUEST_INVALID "the cache's kind is not known" "run 'pulumi up' with the program of this script's revision" "$kind" "${CACHE_KINDS[*]}"
  # shellcheck source=cache-directory.sh
  . "$HOSTS/cache-$kind.sh"
  need "${CACHE_TOOLS[@]}"
}

# cache_keys: the public keys of what the cache holds, the newest first.
cache_keys() {
  printf '%s %s' "$(cat "$CACHE_KEY.public")" "$CACHE_TRUSTED"
}

# cache_outage CODE PROBLEM FIX [FOUND] [EXPECTED]: ends the script; where the cache may fail, says so and goes on without it.
cache_outage() {
  [ "$CACHE_ON_FAILURE" = continue ] || fail "$@"
  say "warning[$1]: $2; going on without the cache: the next run pushes what is lacking"
  CACHED=false
}

# with_settings URL SETTING=VALUE...: an address with Nix's settings for it.
with_settings() {
  local url=$1 setting
  shift
  for setting in "$@"; do
    case $url in *\?*) url+="&$setting" ;; *) url+="?$setting" ;; esac
  done
  printf '%s' "$url"
}

# store_answers URL [OPTION...]: whether it does, and what it says. Asked afresh: Nix otherwise remembers for a week that a cache
# was there.
store_answers() {
  local url=$1 forget=$WORK/asked-afresh
  shift
  rm -rf -- "$forget"
  XDG_CACHE_HOME=$forget NIX_CACHE_HOME=$forget/nix store_info --store "$url" "$@" --option connect-timeout 10 --option download-attempts 3
}

# to_push DRV... : what belongs into a cache: the outputs of these derivations, and every output that was there to build them,
# unless a substituter offers it: without those an edit on a fresh host builds the tools too.
to_push() {
  local all
  all=$(nix-store --query --requisites --include-outputs "$@" | grep -v '\.drv$')
  # Those outputs that are there: of the image's two, a cache may have handed over one.
  nix-store --query --outputs "$@" | grep -F -x -f <(printf '%s\n' "$all")
  not_offered <<<"$all"
}

# cache_push LOG LIST: copies to the cache the paths in the file LIST with their closures, signed.
cache_push() {
  local from log=$1
  from=$(stat -c %s -- "$log")
  cache_send "$2" >>"$log" 2>&1 || cache_send_failed "$(why <(tail -c "+$((from + 1))" -- "$log") 10)"
}

# not_offered: of the store paths on stdin those that no substituter of the request offers.
not_offered() {
  local url paths
  paths=$(cat)
  while IFS= read -r url; do
    [ -z "$url" ] || paths=$(lacking "$url" <<<"$paths")
  done < <(substituters url)
  [ -z "$paths" ] || printf '%s\n' "$paths"
}

# lacking URL OPTION...: of the store paths on stdin those that the store at URL has not. Nix warns of each.
lacking() {
  local paths known
  paths=$(cat)
  known=$(nix path-info --stdin --store "$@" --json <<<"$paths" 2> >(grep '^error' >&2) |
    as_path_infos | sed -n 's/^StorePath: //p')
  comm -23 <(LC_ALL=C sort <<<"$paths") <(LC_ALL=C sort <<<"$known")
}

# signatures PATH...: fails, naming them, where the cache has one of these or of what they refer to without our signature.
signatures() {
  nix store verify --store "$CACHE_STORE" --recursive --no-contents --sigs-needed 1 "${CACHE_ACCESS[@]}" --option trusted-public-keys "$(cache_keys)" "$@"
}

# cache_verify PATH...: a push without a valid signature is refused only where it is used; so ask now.
cache_verify() {
  local problem
  [ "$CACHED" = true ] || return 0
  problem=$(signatures "$@" 2>&1) ||
    fail CACHE_SIGNATURE "the cache in $CACHE_NAME has paths that its key did not sign: $(grep -v '^checking' <<<"$problem" | head -n 3)" \
      "$(cache_signature_fix)"
}

# How often a push is begun anew where a collection took away, before they were pinned, paths that were there already.
readonly PUSH_ATTEMPTS=3

# cache_keep NAME PATH...: see cache_pin; false where the cache has lost one of them. A cache that is gone between a push and
# this is an outage like any other.
cache_keep() {
  local problem
  [ "$CACHED" = true ] || return 0
  problem=$(cache_pin "$@" 2>&1) && return
  [[ $problem != *"error[CACHE_PIN_PATH]"* ]] || return 1
  cache_send_failed "$problem"
}

# cache_keep_all NAME LIST PATH...: these, and under names of their own all in the file LIST, in portions that a command line holds.
cache_keep_all() {
  local name=$1 list=$2 portion number=0
  shift 2
  cache_keep "$name" "$@" || return 1
  while mapfile -t -n 500 portion && [ "${#portion[@]}" -gt 0 ]; do
    cache_keep "$name/with/$number" "${portion[@]}" || return 1
    number=$((number + 1))
  done <"$list"
}

# cache_deliver LOG NAME DRV...: the outputs of these into the cache, signed, verified and pinned as NAME; then into its mirror.
# What the cache's failure leaves undone is noted, for cache_settle. DELIVERED: these outputs.
cache_deliver() {
  local log=$1 name=$2 list=$WORK/push attempt=1 note=$STATE/owed/${2//\//_}
  shift 2
  mapfile -t DELIVERED < <(nix-store --query --outputs "$@")
  if [ "$CACHED" = true ]; then
    to_push "$@" | LC_ALL=C sort -u >"$list"
    cache_hold
  fi
  while [ "$CACHED" = true ]; do
    cache_push "$log" "$list"
    cache_verify "${DELIVERED[@]}"
    ! cache_keep_all "$name" "$list" "${DELIVERED[@]}" || break
    [ "$attempt" -lt "$PUSH_ATTEMPTS" ] || cache_send_failed "a collection takes away what is pushed, before it is pinned"
    attempt=$((attempt + 1))
  done
  cache_release
  if [ "$CACHED" = true ]; then
    rm -f -- "$note"
    mirror_deliver "$log" "$name" "$list"
  else
    mkdir -p "$STATE/owed"
    printf '%s\n' "$name" "$@" >"$note"
  fi
}

# cache_settle LOG: delivers what earlier runs could not, as far as it is still on this host.
cache_settle() {
  local note lines
  for note in "$STATE"/owed/*; do
    if [ ! -e "$note" ] || [ "$CACHED" = false ]; then return; fi
    mapfile -t lines <"$note"
    if nix-store --check-validity "${lines[@]:1}" 2>/dev/null; then
      say "copying to the cache what it lacks since it failed: ${lines[0]}"
      cache_deliver "$1" "${lines[@]}"
    else
      rm -f -- "$note"
    fi
  done
}
