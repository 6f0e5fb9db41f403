# shellcheck shell=bash disable=SC2034
# A binary cache in a folder of this host, with a key that is made here. Sourced by cache.sh, which says what each function is for.

CACHE_WANTS=(.cache.path)
CACHE_OPEN_WANTS=()
CACHE_TOOLS=()
CACHE_KEY=$KEYS/cache

# Every request says where the folder is.
record_cache() {
  return 0
}

cache_find() {
  CACHE_NAME=$ROOT/$(asked .cache.path)
  CACHE_STORE=file://$(in_url "$CACHE_NAME")
  # While one key takes another's place; ops/cache-key.sh writes it.
  [ ! -e "$CACHE_KEY.trusted" ] || CACHE_TRUSTED=$(tr '\n' ' ' <"$CACHE_KEY.trusted" | sed 's/ *$//')
}

cache_substituter() {
  printf '%s?priority=10' "$CACHE_STORE"
}

cache_open() {
  mkdir -p "$CACHE_NAME"
  # Nix writes this file with its first push; with it the folder is a cache from the start.
  [ -e "$CACHE_NAME/nix-cache-info" ] || printf 'StoreDir: /nix/store\n' >"$CACHE_NAME/nix-cache-info"
  CACHE_OPENED=$(jq -cn --arg location "file://$CACHE_NAME" '{$location}')
}

# It is on this host: what is wrong with it shows where it is written.
cache_probe() {
  return 0
}

cache_send() {
  nix copy --stdin --to "$CACHE_STORE?secret-key=$(in_url "$CACHE_KEY.secret")&compression=zstd&parallel-compression=true" <"$1"
}

cache_send_failed() {
  fail CACHE_PUSH_FAILED "could not copy to the cache in $CACHE_NAME: $(tail -n 3 <<<"$1")" "see that the folder can be written and the disk is not full, then run 'pulumi up' again"
}

# What this build had to make although the cache has it, with a good signature, was refused for its content. A copy would take
# it for present and leave it as it is, so the cache forgets it first.
cache_mend() {
  local path info
  while IFS= read -r path; do
    info=${path#/nix/store/}
    info=$CACHE_NAME/${info:0:32}.narinfo
    # One that came since this run began is another layer's push of the same path, which was built once for both.
    if [ -e "$info" ] && [ "$info" -ot "$WORK/run.json" ] && signatures "$path" >/dev/null 2>&1; then
      say "the cache's copy of $path is damaged: replacing it"
      # The archive first: it is named by its hash, and one that is there is not written again.
      rm -f -- "$CACHE_NAME/$(sed -n 's/^URL: //p' "$info")"
      rm -f -- "$info"
    fi
  done < <(sed -n "s/^building '\([^']*\)'.*/\1/p" "$1" | xargs -r nix-store --query --outputs)
}

# A folder knows no stacks: what it keeps is told apart by what is built.
cache_pin() {
  local folder
  folder=$CACHE_NAME/pins/$(asked .flavor)-$(asked .compression)/$1
  mkdir -p -- "$folder"
  printf '%s\n' "${@:2}" >"$folder/paths.new"
  mv -- "$folder/paths.new" "$folder/paths"
}

# What is started under it holds it too, until it ends: a copy that outlives its script.
cache_hold() {
  { mkdir -p -- "$CACHE_NAME" && : >>"$CACHE_NAME/lock"; } 2>/dev/null || cache_send_failed "$CACHE_NAME cannot be written"
  exec 8>"$CACHE_NAME/lock"
  flock --shared 8
}

cache_release() {
  exec 8>&-
}

cache_signature_fix() {
  printf "delete the .narinfo files of these paths in the cache, then run 'pulumi up' again"
}

# The key goes with the cache: nothing is left that it signed.
cache_remove() {
  cache_find
  rm -rf -- "$CACHE_NAME" "$KEYS"
  removed+=("$CACHE_NAME" "$KEYS")
}
