# Nix on the host: options, the build that outlives its script, the signed copy to the cache. Sourced, never run.
# shellcheck shell=bash

# Longest time one build may take, in seconds.
LIMIT=${COMFYUI_LAYER_TIMEOUT:-14400}

# nix_options: options of every build into NIX_OPTIONS: substitution from our own cache first, then from the request's
# substituters, and only what one of their keys signed.
nix_options() {
  local urls trusted
  urls="file://$(in_url "$(cache_folder)")?priority=10 $(jq -r '.substituters | map(.url) | join(" ")' <<<"$REQUEST")"
  trusted="$(cat "$KEYS/cache.public") $(jq -r '.substituters | map(.publicKey) | join(" ")' <<<"$REQUEST")"
  NIX_OPTIONS=(
    --option substituters "$urls"
    --option trusted-public-keys "$trusted"
    --option require-sigs true
    # Joins and generated texts are cheap to build, but what they are built with is not: take them from the cache too.
    --option always-allow-substitutes true
    --option narinfo-cache-negative-ttl 0
    --option fallback true
  )
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

# cache_push LOG DRV... : signs and copies to the cache the outputs of these derivations with their closures, and every output
# that was there to build them, unless a substituter offers it: without those an edit on a fresh host builds the tools too.
cache_push() {
  local cache list all log=$1
  shift
  cache=$(cache_folder)
  all=$(nix-store --query --requisites --include-outputs "$@" | grep -v '\.drv$')
  list=$(mktemp -- "$WORK/push.XXXXXX")
  # Those outputs that are there: of the image's two, a cache may have handed over one.
  nix-store --query --outputs "$@" | grep -F -x -f <(printf '%s\n' "$all") >"$list"
  not_offered <<<"$all" >>"$list"
  nix copy --stdin --to "file://$(in_url "$cache")?secret-key=$(in_url "$KEYS/cache.secret")&compression=zstd&parallel-compression=true" \
    <"$list" >>"$log" 2>&1 ||
    fail CACHE_PUSH_FAILED "could not copy to the cache in $cache: $(why "$log" 3)" "see that the folder can be written and the disk is not full, then run 'pulumi up' again"
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

# cache_mend LOG: what this build had to make although the cache has it, with a good signature, was refused for its content.
# A copy would take it for present and leave it as it is, so the cache forgets it first.
cache_mend() {
  local cache path info
  cache=$(cache_folder)
  while IFS= read -r path; do
    info=${path#/nix/store/}
    info=$cache/${info:0:32}.narinfo
    if [ -e "$info" ] && signatures "$path" >/dev/null 2>&1; then
      say "the cache's copy of $path is damaged: replacing it"
      # The archive first: it is named by its hash, and one that is there is not written again.
      rm -f -- "$cache/$(sed -n 's/^URL: //p' "$info")"
      rm -f -- "$info"
    fi
  done < <(sed -n "s/^building '\([^']*\)'.*/\1/p" "$1" | xargs -r nix-store --query --outputs)
}

# signatures PATH...: fails, naming them, where the cache has one of these or of what they refer to without our signature.
signatures() {
  local cache
  cache=$(cache_folder)
  nix store verify --store "file://$(in_url "$cache")" --recursive --no-contents --sigs-needed 1 \
    --option trusted-public-keys "$(cat "$KEYS/cache.public")" "$@"
}

# cache_verify PATH...: a push without a valid signature is refused only where it is used; so ask now.
cache_verify() {
  local problem
  problem=$(signatures "$@" 2>&1) ||
    fail CACHE_SIGNATURE "the cache in $(cache_folder) has paths that its key did not sign: $(grep -v '^checking' <<<"$problem" | head -n 3)" \
      "delete the .narinfo files of these paths in the cache, then run 'pulumi up' again"
}
