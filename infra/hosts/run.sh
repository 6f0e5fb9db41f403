# One run of a script that builds: its folder, its lock, its log, its sources. Sourced, never run.
# shellcheck shell=bash

. "$HOSTS/history.sh"
. "$HOSTS/sources.sh"
. "$HOSTS/cache.sh"

# begin_run NAME KEY WHAT [LAYER]: takes the lock of this name (WHAT is what a second run joins), checks the sources of the
# request into WORK/source, and goes there: no folder's name is then read as part of a URL. Sets WORK, LOG and STARTED.
begin_run() {
  local name=$1 key=$2 what=$3 layer=${4:-} marked
  cache_find
  [ -s "$CACHE_KEY.public" ] || fail CACHE_KEY_MISSING "the cache has no key at $KEYS" "run 'pulumi up': it opens the cache first"
  [ -s "$CACHE_KEY.secret" ] || fail CACHE_KEY_MISSING "the cache's signing key is not at $CACHE_KEY.secret" \
    "restore it from its backup; where there is none, 'pulumi up --replace' of comfyui-cache makes a new key, and the cache is to be emptied"
  WORK=$STATE/work/$name
  mkdir -p "$WORK" "$STATE"/{locks,roots/layers,roots/images} "$STATE"/{logs,records}/"$name"
  # Read by the scripts that source this file.
  # shellcheck disable=SC2034
  STARTED=$(date -u +%s.%N)
  exec 9>"$STATE/locks/$name.lock"
  if ! flock --nonblock 9; then
    say "$name: joining the $what that is running already"
    marked=$(stop_mark)
    flock 9
    # Who stops a build stops those who wait for it, too.
    [ "$(stop_mark)" = "$marked" ] || message_fail "${STOPPED[@]}"
  fi
  LOG=$STATE/logs/$name/$(date -u +%Y%m%dT%H%M%SZ)-$key.log
  open_history "$name" "$key"
  copy_sources "$WORK/source" "$layer"
  find_trust
  cache_probe
  mirror_probe
  nix_options
  printf '# %s %s, %s\n' "$name" "$key" "$NIX_VERSION" >"$LOG"
  prune "$name"
  cd -- "$WORK/source" || exit 1
}

# flavor_set SYSTEM: the prefix of all attributes that are built for it.
flavor_set() {
  printf 'path:.#legacyPackages.%s.%s.%s' "$1" "$(asked .flavor)" "$(asked .compression)"
}

# run_name LAYER SYSTEM: what the layer's folders and its lock are called. One of another system than this machine's stands beside
# the machine's own, and is built at the same time.
run_name() {
  if [ "$2" = "$(uname -m)-linux" ]; then printf '%s\n' "$1"; else printf '%s-%s\n' "$1" "${2%-linux}"; fi
}
