# The binary cache, as far as it is the same for every kind. Sourced, never run.
# shellcheck shell=bash
#
# What differs by kind is in cache-KIND.sh (KIND: directory). Each defines:
#   CACHE_WANTS           what every request must have of the cache
#   CACHE_KEY             path of the signing key's files, without .secret and .public
#   cache_find            finds out where the cache is: CACHE_NAME for people, CACHE_STORE for Nix
#   cache_substituter     the URL by which a build reads it
#   cache_open            makes it ready for use; members of open-cache.sh's answer, as JSON, into CACHE_OPENED
#   cache_send LIST       copies the paths in the file LIST with their closures, signed
#   cache_send_failed WHY ends the script: WHY is what the copy said at last
#   cache_mend LOG        takes away copies that the build in this log found damaged
#   cache_signature_fix   what to do about a path without a good signature
#   cache_remove          takes it away with its key; what was removed is added to the list `removed`

readonly CACHE_KINDS=(directory)

# use_cache: the functions of the request's kind of cache, and where the cache is.
use_cache() {
  local kind
  kind=$(asked .cache.kind)
  [[ " ${CACHE_KINDS[*]} " = *" $kind "* ]] ||
    fail REQUEST_INVALID "the cache's kind is not known" "run 'pulumi up' with the program of this script's revision" "$kind" "${CACHE_KINDS[*]}"
  # shellcheck source=cache-directory.sh
  . "$(dirname -- "${BASH_SOURCE[0]}")/cache-$kind.sh"
  demand "${CACHE_WANTS[@]}"
  cache_find
}

# Whether all of what this run was to push is in the cache. Read by the scripts that source this file.
# shellcheck disable=SC2034
CACHED=true

# cache_keys: the public keys of what the cache holds.
cache_keys() {
  cat "$CACHE_KEY.public"
}

# cache_push LOG DRV... : signs and copies to the cache the outputs of these derivations with their closures, and every output
# that was there to build them, unless a substituter offers it: without those an edit on a fresh host builds the tools too.
cache_push() {
  local list all log=$1
  shift
  all=$(nix-store --query --requisites --include-outputs "$@" | grep -v '\.drv$')
  list=$(mktemp -- "$WORK/push.XXXXXX")
  # Those outputs that are there: of the image's two, a cache may have handed over one.
  nix-store --query --outputs "$@" | grep -F -x -f <(printf '%s\n' "$all") >"$list"
  not_offered <<<"$all" >>"$list"
  cache_send "$list" >>"$log" 2>&1 || cache_send_failed "$(why "$log" 3)"
  rm -f -- "$list"
}

# not_offered: of the store paths on stdin those that no substituter of the request offers.
not_offered() {
  local url paths known
  paths=$(cat)
  while IFS= read -r url; do
    [ -n "$url" ] || continue
    known=$(nix path-info --stdin --store "$url" --json <<<"$paths" |
      jq -r 'if type == "array" then map(select(.valid // true) | .path) else to_entries | map(select(.value != null) | .key) end | .[]')
    paths=$(comm -23 <(LC_ALL=C sort <<<"$paths") <(LC_ALL=C sort <<<"$known"))
  done < <(jq -r '.substituters[].url' <<<"$REQUEST")
  [ -z "$paths" ] || printf '%s\n' "$paths"
}

# signatures PATH...: fails, naming them, where the cache has one of these or of what they refer to without our signature.
signatures() {
  nix store verify --store "$CACHE_STORE" --recursive --no-contents --sigs-needed 1 --option trusted-public-keys "$(cache_keys)" "$@"
}

# cache_verify PATH...: a push without a valid signature is refused only where it is used; so ask now.
cache_verify() {
  local problem
  problem=$(signatures "$@" 2>&1) ||
    fail CACHE_SIGNATURE "the cache in $CACHE_NAME has paths that its key did not sign: $(grep -v '^checking' <<<"$problem" | head -n 3)" \
      "$(cache_signature_fix)"
}
