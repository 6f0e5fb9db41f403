# shellcheck shell=bash disable=SC2034
# A binary cache in a bucket. Sourced by cache.sh, which says what each function is for.

# shellcheck source=cache-remote.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/cache-remote.sh"

CACHE_OPEN_WANTS=(.stack .cache.url .cache.onFailure .cache.trusted "${CACHE_KEY_WANTS[@]}")
CACHE_TOOLS=()

# A bucket of the stack's is read by a Nix without S3 too, from within the VPC.
cache_substituter() {
  recorded '.readUrl // .url'
}

cache_open() {
  bucket_open "$CACHE_STORE"
  CACHE_OPENED=$(jq -cn --arg location "$CACHE_STORE" '{$location}')
}

cache_send() {
  bucket_send "$CACHE_STORE" "$1" "secret-key=$(in_url "$CACHE_KEY.secret")"
}

cache_send_failed() {
  cache_outage CACHE_PUSH_FAILED "could not copy to the cache $CACHE_NAME: $(tail -n 3 <<<"$1")" "see that the bucket is there and that this host's credentials may write to it, then run 'pulumi up' again"
}

# Kept by the bucket's own rules.
cache_pin() {
  return 0
}

cache_signature_fix() {
  printf "delete the .narinfo objects of these paths in the bucket, then run 'pulumi up' again"
}
