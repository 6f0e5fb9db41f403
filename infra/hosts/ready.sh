#!/usr/bin/env bash
# ready.sh: says whether this host can build, before anything is started, and makes its folders.
# stdin {system, furtherSystems, builders, …}, stdout {"nix","system","builderKey"}; builderKey: the public key by which it reaches its builders
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
. "$HOSTS/nix-settings.sh"

# machines SETTINGS: Nix's list of builders, a line each: URI SYSTEM,… and more. It may name files.
machines() {
  local entry
  jq -r '.builders.value | gsub(";"; "\n")' <<<"$1" | while read -r entry; do
    case $entry in
      @*) [ ! -r "${entry#@}" ] || sed 's/#.*//' -- "${entry#@}" ;;
      *) printf '%s\n' "$entry" ;;
    esac
  done
}

# built_systems SETTINGS: what is built here, or handed on: this machine's own, what it emulates, and the builders', which may not
# be set up yet.
built_systems() {
  {
    jq -r '.system.value, ."extra-platforms".value[]' <<<"$1"
    machines "$1" | awk '$2 != "" && $2 != "-" { print $2 }' | tr , '\n'
    jq -r '.builders[]?.systems[]' <<<"$REQUEST"
  } | awk '!seen[$0]++'
}

need jq nix nix-store skopeo zstd flock timeout
read_request .system
need_nix
settings=$(all_settings)
built=$(built_systems "$settings")
lacking=$(jq -r '.system, .furtherSystems[]?' <<<"$REQUEST" | { grep -v -x -F -f <(printf '%s\n' "$built") || [ $? -eq 1 ]; } | paste -sd ' ')
[ -z "$lacking" ] || fail HOST_SYSTEM "this host does not build for $lacking" \
  "set comfyui:systems to the host's, choose another build host, or give it a builder for that system" "${built//$'\n'/, }" "$lacking"
mkdir -p "$STATE"/{logs,locks,work,roots,records}
builder_key=/etc/nix/builder_ed25519.pub
jq -cn --arg nix "$NIX_VERSION" --arg system "$(jq -r .system.value <<<"$settings")" --arg key "$([ ! -r $builder_key ] || cat $builder_key)" \
  '{nix: $nix, system: $system, builderKey: (if $key == "" then null else $key end)}'
