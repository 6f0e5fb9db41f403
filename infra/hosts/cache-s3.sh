# shellcheck shell=bash disable=SC2034
# A binary cache in a bucket. Sourced by cache.sh, which says what each function is for. Who may read and write is the affair of
# this host's own credentials for AWS.

# shellcheck source=cache-remote.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/cache-remote.sh"

CACHE_OPEN_WANTS=(.stack .cache.url .cache.onFailure .cache.signingKey .cache.trusted)
CACHE_TOOLS=()

cache_substituter() {
  printf '%s' "$CACHE_STORE"
}

# A Nix without S3 says so before it asks anyone.
cache_open() {
  local problem
  if problem=$(store_info --store "$CACHE_STORE" --option connect-timeout 10 --option download-attempts 1); then :; fi
  case $problem in *"don't know how to open Nix store"*)
    fail HOST_NIX_BUCKETS "this host's Nix is built without S3" "install Nix from https://nixos.org/download (Debian's packages are without), or choose another kind of cache" "$(nix --version)" "a Nix that opens $CACHE_STORE" ;;
  esac
  CACHE_OPENED=$(jq -cn --arg location "$CACHE_STORE" '{$location}')
}

cache_send() {
  nix copy --stdin --to "$(cache_url "secret-key=$(in_url "$CACHE_KEY.secret")" compression=zstd parallel-compression=true)" <"$1"
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
