#!/usr/bin/env bash
# drift.sh: what a stack has on record, and this host, its cache or its registry have no more. Changes nothing.
# stdin: the request of infra/ops/drift.ts; stdout: one JSON object, there as well (driftAnswer)
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/run.sh"
. "$HOSTS/registry.sh"

need jq nix nix-store skopeo sha256sum
read_request .cache.kind .layers .registry.kind
use_cache
need_nix
WORK=$(mktemp -d)
trap 'rm -rf -- "$WORK"' EXIT
: >"$WORK/findings"

# found SUBJECT NAME PROBLEM: NAME: of the resource that mends it.
found() {
  jq -cn --arg subject "$1" --arg name "$2" --arg problem "$3" '$ARGS.named' >>"$WORK/findings"
}

# attempt COMMAND...: its messages into SAID; a `fail` in it ends only itself.
attempt() {
  SAID=$("$@" 2>&1 >"$WORK/answer")
}

# sentence: what SAID says, in one line, without the code and the advice that belong to another occasion.
sentence() {
  sed -n -E 's/^error(\[[A-Z_]+\])?: //p' <<<"$SAID" | head -n 1 | cut -c 1-300
}

# lost_from_cache OUT...: of these and what they refer to, as far as this host knows it, what the cache lacks.
lost_from_cache() {
  local paths
  paths=$(nix-store --query --requisites "$@" 2>/dev/null) || paths=$(printf '%s\n' "$@")
  lacking "$CACHE_STORE" "${CACHE_ACCESS[@]}" <<<"$paths"
}

# look_at_layer NAME RUN STORE_PATH: RUN as run_name gives it
look_at_layer() {
  local link outs=() lost
  for link in "$STATE/roots/layers/$2"{,-1,-2}; do
    [ ! -L "$link" ] || outs+=("$(readlink -- "$link")")
  done
  if [[ " ${outs[*]} " != *" $3 "* ]]; then
    found store "$1" "nothing keeps $3 on the build host"
    outs=("$3")
  fi
  mapfile -t lost < <(nix-store --check-validity --print-invalid "${outs[@]}")
  [ "${#lost[@]}" -eq 0 ] || found store "$1" "not in the build host's store: ${lost[*]}"
  [ "$cache" = there ] || return 0
  mapfile -t lost < <(lost_from_cache "${outs[@]}")
  if [ "${#lost[@]}" -gt 0 ]; then
    found cache "$1" "the cache lacks ${#lost[@]} of its store paths, such as ${lost[0]}"
  elif ! attempt signatures "${outs[@]}"; then
    found signature "$1" "the cache has store paths of it without a valid signature"
  fi
}

look_at_image() {
  local name tag digest
  name=$(asked .image.name) tag=$(asked .image.tag) digest=$(asked .image.digest)
  open_registry "$tag"
  if ! attempt published_digest; then
    found registry "" "$(sentence)"
  elif [ ! -s "$WORK/answer" ]; then
    found image "$name" "the registry has no $REFERENCE"
  elif [ "$(cat "$WORK/answer")" != "$digest" ]; then
    found taken "$name" "the registry has another image under $REFERENCE: $(cat "$WORK/answer")"
  fi
}

cache=there
if ! attempt cache_find; then
  cache=unknown
  found cache-record comfyui-cache "$(sentence)"
else
  cache_find
  # Where a build would go on without it, this is the place that says so.
  # shellcheck disable=SC2034
  CACHE_ON_FAILURE=fail
  if ! attempt cache_probe; then
    cache=down
    found cache-host "" "$(sentence)"
  elif [ ! -s "$CACHE_KEY.secret" ]; then
    found key comfyui-cache "the signing key is not at $CACHE_KEY.secret"
  fi
fi

while IFS=$'\t' read -r name layer system path; do
  look_at_layer "$name" "$(run_name "$layer" "$system")" "$path"
done < <(jq -r '.layers[] | [.name, .layer, .system, .storePath] | @tsv' <<<"$REQUEST")
[ -z "${ASKED[.image]-}" ] || look_at_image
jq -cs '{findings: .}' "$WORK/findings"
