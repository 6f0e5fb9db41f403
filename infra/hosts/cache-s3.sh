# shellcheck shell=bash disable=SC2034
# A binary cache in a bucket. Sourced by cache.sh, which says what each function is for.

. "$HOSTS/cache-remote.sh"
. "$HOSTS/bucket-objects.sh"

CACHE_OPEN_WANTS=(.stack .cache.url .cache.onFailure .cache.trusted "${CACHE_KEY_WANTS[@]}")
CACHE_TOOLS=()

# A bucket of the stack's is read by a Nix without S3 too, from within the VPC.
cache_substituter() {
  printf '%s' "${RECORDED[.readUrl]-${RECORDED[.url]}}"
}

cache_open() {
  bucket_open "$CACHE_STORE"
  has_aws || say "warning[CACHE_NO_PINS]: this host has no AWS CLI: what it pushes to the bucket is not pinned there, and 'ops cache gc' cannot collect"
  CACHE_OPENED=$(jq -cn --arg location "$CACHE_STORE" '{$location}')
}

cache_send() {
  bucket_send "$CACHE_STORE" "$1" "secret-key=$(in_url "$CACHE_KEY.secret")"
}

cache_send_failed() {
  cache_outage CACHE_PUSH_FAILED "could not copy to the cache $CACHE_NAME: $(tail -n 3 <<<"$1")" "see that the bucket is there and that this host's credentials may write to it, then run 'pulumi up' again"
}

# Nothing is pinned where there is no CLI: a collection takes nothing that no pin names, and there is none from this host.
cache_pin() {
  ! has_aws || printf '%s\n' "${@:2}" | bucket_put "pins/$(recorded .stack)/$1/paths"
}

cache_hold() {
  local problem
  has_aws || return 0
  BUCKET_LOCK=$(bucket_lock_name push)
  { problem=$(WAITING=3 bucket_lock push collection "$COLLECTION_COUNTS" 2>&1); } 3>&2 && return
  BUCKET_LOCK=""
  cache_send_failed "$problem"
}

cache_release() {
  bucket_unlock
}

cache_signature_fix() {
  printf "delete the .narinfo objects of these paths in the bucket, then run 'pulumi up' again"
}
