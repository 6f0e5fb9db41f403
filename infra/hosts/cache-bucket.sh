# shellcheck shell=bash
# A bucket, as Nix's own store for S3 has it: a cache by itself (cache-s3.sh), or the mirror of one (cache-mirror.sh). Sourced by
# those. Who may read and write is the affair of this host's own credentials for AWS; on EC2 that is its role.

# bucket_open URL: fails where this host's Nix has no such store, which it says before it asks anyone. Opening also makes an empty
# bucket a cache; one that does not answer now is told of where it is used.
bucket_open() {
  local problem
  if problem=$(store_info --store "$1" --option connect-timeout 10 --option download-attempts 1); then :; fi
  case $problem in *"don't know how to open Nix store"*)
    fail HOST_NIX_BUCKETS "this host's Nix is built without S3" "install Nix from https://nixos.org/download (Debian 13's packages are without), or choose another kind of cache" "$(nix --version)" "a Nix that opens $1" ;;
  esac
}

# bucket_send URL LIST [SETTING=VALUE]...: copies the paths in the file LIST with their closures.
bucket_send() {
  local url=$1 list=$2
  shift 2
  # S3 takes no more than 5 GiB at once.
  nix copy --stdin --to "$(with_settings "$url" compression=zstd parallel-compression=true multipart-upload=true "$@")" "${ASKED_ANEW[@]}" <"$list"
}
