# Nix on the host: options, and the build that outlives its script. Sourced, never run.
# shellcheck shell=bash

. "$HOSTS/nix-settings.sh"

# Longest time one build may take, in seconds.
LIMIT=${COMFYUI_LAYER_TIMEOUT:-14400}

# store_info OPTION...: what Nix says of a store; the command's name has changed with 2.19.
store_info() {
  local said status=0
  said=$(nix store info "$@" 2>&1) || status=$?
  case $said in *"is not a recognised command"*) status=0 said=$(nix store ping "$@" 2>&1) || status=$? ;; esac
  printf '%s\n' "$said"
  return "$status"
}

# find_trust: whether Nix lets this user choose substituters and keys, into NIX_TRUSTED. Who writes the store himself is asked
# by nobody.
find_trust() {
  local info
  NIX_TRUSTED=true
  [ ! -w /nix/var/nix/db ] || [ -n "${NIX_REMOTE:-}" ] || return 0
  info=$(store_info --json) ||
    fail HOST_NIX_STORE "this host's Nix store does not answer" "start its daemon ('systemctl start nix-daemon'), then run 'pulumi up' again" "$info"
  NIX_TRUSTED=$(jq -r '.trusted == true or .trusted == 1' <<<"$info")
}

# What Nix remembers of a cache is not asked when it matters: for thirty days, by default, it would have paths that a collection took
# and the signatures of before the key was changed.
readonly ASKED_ANEW=(--option narinfo-cache-positive-ttl 0 --option narinfo-cache-negative-ttl 0)

# substituters MEMBER: it, of each substituter of the request.
substituters() {
  [ "${ASKED[.substituters]}" = '[]' ] || jq -r --arg member "$1" '.substituters[][$member]' <<<"$REQUEST"
}

# nix_options: options of every build into NIX_OPTIONS: substitution from our own cache first, then from its mirror and the request's
# substituters, and only what one of their keys signed. A user whom Nix does not trust cannot ask for that: nix.conf has it, as
# open-cache.sh made sure. It has what other stacks need too, for which this one's builds are not to wait; that user can leave it out.
nix_options() {
  local urls
  urls=$(substituters url | paste -sd ' ')
  [ "$MIRRORED" = false ] || urls="$MIRROR_SUBSTITUTER $urls"
  [ "$CACHED" = false ] || urls="$(cache_substituter) $urls"
  if [ "$NIX_TRUSTED" = false ]; then
    NIX_OPTIONS=(--option fallback true --option substituters "$(configured_substituters "$urls")")
    return
  fi
  NIX_OPTIONS=(
    --option substituters "$urls"
    --option trusted-public-keys "$(cache_keys) $(substituters publicKey | paste -sd ' ')"
    --option require-sigs true
    # Joins and generated texts are cheap to build, but what they are built with is not: take them from the cache too.
    --option always-allow-substitutes true
    "${ASKED_ANEW[@]}"
    --option fallback true
    # Layers that are built at the same time share derivations: who finds one being built looks again whenever a build of his own
    # says something, else after a second (Worker::waitForInput of Nix), not after five.
    --option build-poll-interval 0
  )
  [ ! -e "$CACHE_NETRC" ] || NIX_OPTIONS+=(--option netrc-file "$CACHE_NETRC")
}

# nix_build LOG RESULT OUT_LINK INSTALLABLE...: runs `nix build` so that it outlives this script: it writes to files only
# and holds descriptor 9, the layer's lock, so that a second run waits for it and takes its result.
nix_build() {
  local log=$1 result=$2 out_link=$3 build follow status=0
  shift 3
  timeout --kill-after=60 "$LIMIT" nix build --json -v --print-build-logs --no-write-lock-file --no-update-lock-file \
    --out-link "$out_link" "${NIX_OPTIONS[@]}" "$@" >"$result" 2>>"$log" </dev/null &
  build=$!
  # Only what happens, not every line of every build; bare carriage returns and endless lines are cut before they are a line.
  # Neither may hold the lock, and both end with the build: a killed script leaves them behind.
  tail --pid="$build" -n 0 -f -- "$log" 9>&- > >(
    exec 9>&-
    stdbuf -oL tr '\r' '\n' | stdbuf -oL cut -b 1-1000 | grep --line-buffered -E "^(building|copying path) '|^(error|warning):" >&2
  ) &
  follow=$!
  wait "$build" || status=$?
  # It ends by itself within a second; a short build does not wait for that.
  kill "$follow" 2>/dev/null || [ $? -eq 1 ]
  wait "$follow" 2>/dev/null || [ $? -gt 128 ]
  return "$status"
}

# why LOG: the last lines that tell why a build failed.
why() {
  tr '\r' '\n' <"$1" | cut -b 1-500 | grep -v -E '^(copying path|building|evaluating|querying|checking| *$)' | tail -n "${2:-12}"
}
