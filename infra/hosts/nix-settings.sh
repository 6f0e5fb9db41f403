# What /etc/nix/nix.conf says, which is all that counts for the builds of a user whom Nix does not trust. Sourced, never run.
# shellcheck shell=bash

# all_settings: what counts for this user's commands, as JSON; the command's name has changed with 2.20.
all_settings() {
  nix config show --json 2>/dev/null || nix show-config --json
}

# nix_settings: the daemon's settings: those of nix.conf, without this user's own.
nix_settings() {
  NIX_CONFIG='extra-experimental-features = nix-command' NIX_USER_CONF_FILES=/dev/null all_settings
}

# A substituter is the same with and without a priority or a slash at the end.
readonly SAME_SUBSTITUTER='def same: gsub("(?<start>[?&])priority=[0-9]+&?"; "\(.start)") | sub("[?&/]+$"; "");'

# configured_substituters URLS: of these, separated by spaces, those that nix.conf has, as they stand there.
configured_substituters() {
  nix_settings | jq -r --arg urls "$1" "$SAME_SUBSTITUTER"'
    [$urls | split(" ")[] | same] as $wanted | [.substituters.value[] | select(same | IN($wanted[]))] | join(" ")'
}

# demand_settings: ends the script where nix.conf lacks what this stack's builds need; all of it at once.
demand_settings() {
  local wanted lacking
  wanted=$(jq -c --arg cache "$(cache_substituter)" --arg mirror "$MIRROR_SUBSTITUTER" --arg keys "$(cache_keys)" '{
    sandbox: true, "require-sigs": true, "always-allow-substitutes": true, "narinfo-cache-positive-ttl": 0, "narinfo-cache-negative-ttl": 0,
    substituters: [$cache, ($mirror | select(. != "")), .substituters[]?.url],
    "trusted-public-keys": [($keys | split(" ")[] | select(. != "")), .substituters[]?.publicKey]}' <<<"$REQUEST")
  lacking=$(nix_settings | jq -r --argjson wanted "$wanted" "$SAME_SUBSTITUTER"'
    with_entries(.value |= .value) as $have | $wanted | to_entries[]
    | if (.value | type) == "array"
      then .key as $key | [$have[$key][] | same] as $there | [.value[] | select((. | same) | IN($there[]) | not)]
        | if . == [] then empty else "\($key) lacks \(join(" "))" end
      # An older Nix does not know each of them.
      else select(.key | in($have)) | select(($have[.key] | tostring) != (.value | tostring)) | "\(.key) is not \(.value)" end')
  [ -z "$lacking" ] || fail HOST_NIX_CONFIG "this host's nix.conf is not what the stack needs, and Nix does not trust $(id -un) to ask for it" \
    "bootstrap the host again with this stack's settings (npm run ops -- host bootstrap), which restarts its Nix daemon" "${lacking//$'\n'/; }"
}
