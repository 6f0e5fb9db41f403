#!/usr/bin/env bash
# build-layer.sh: builds one layer from a checked copy of its sources, and copies it, signed, to the binary cache.
# stdin: the request of infra/request.ts (layerRequest); stdout: one JSON object, infra/answers.ts (layerAnswer).
# Safe to run at any time and any number of times; what is there already is not built again.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/sources.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/nix.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/cache.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/run.sh"

need jq nix nix-store flock timeout sha256sum
read_request .layer .fingerprint .inputs .system .flavor .compression .graph .below .cache.kind .substituters
use_cache
need_nix
layer=$(asked .layer)
fingerprint=$(asked .fingerprint)
[[ $layer =~ ^[a-z0-9-]+$ && $fingerprint =~ ^[0-9a-f]{12}$ ]] ||
  fail REQUEST_INVALID "the request names no layer and fingerprint" "run this script through pulumi" "$layer $fingerprint"

begin_run "$layer" "$fingerprint" build "$layer"
attr=$FLAVOR_SET.$layer
installables=("$attr" "$attr.checks")
has_blob=$(jq --arg layer "$layer" '.layers[] | select(.attr == $layer) | .blob' "$WORK/source/layers.json")
[ "$has_blob" = false ] || installables+=("$attr.blob")

say "$layer: building (log: $LOG)"
status=0
nix_build "$LOG" "$WORK/result.json" "$STATE/roots/layers/$layer" "${installables[@]}" || status=$?
case $status in
  0) ;;
  124 | 137) fail LAYER_TIMEOUT "$layer did not build within $LIMIT seconds (log: $LOG)" "set COMFYUI_LAYER_TIMEOUT to more seconds, or look for a hanging build in the log" ;;
  *) fail LAYER_BUILD_FAILED "$layer did not build (log: $LOG)" "correct the layer, then run 'pulumi up' again: finished layers are kept" "$(why "$LOG")" ;;
esac

mapfile -t drvs < <(jq -r '.[].drvPath' "$WORK/result.json")
mapfile -t outs < <(jq -r '.[].outputs.out' "$WORK/result.json")
say "$layer: copying to the cache"
cache_mend "$LOG"
cache_push "$LOG" "${drvs[@]}"
cache_verify "${outs[@]}"

# By what was built, not by the key: an edited comment is another key for the same thing.
record=$STATE/records/$layer/$(printf '%s\n' "${outs[@]}" | word).json
blobs=[]
[ "$has_blob" = false ] || blobs=$(jq -c '[.mediaType as $mediaType | .blobs[] | {mediaType: $mediaType, digest, diffId, size, tarSize}]' "${outs[2]}/blob.json")
known=null
[ ! -s "$record" ] || known=$(cat "$record")
jq -cn --arg layer "$layer" --arg fingerprint "$fingerprint" --arg log "$LOG" --arg storePath "${outs[0]}" \
  --argjson blobs "$blobs" \
  --argjson started "$STARTED" --argjson ended "$(date -u +%s.%N)" \
  --argjson built "$(grep -c "^building '" "$LOG" || [ $? -eq 1 ])" \
  --argjson substituted "$(grep -c "^copying path '.* from '" "$LOG" || [ $? -eq 1 ])" \
  --argjson known "$known" --argjson cached "$CACHED" '
  {layer: $layer, fingerprint: $fingerprint, storePath: $storePath, blobs: $blobs,
   seconds: (($ended - $started) * 10 | round / 10), built: $built, substituted: $substituted, reused: false, cached: $cached,
   startedAt: ($started | floor | todate), endedAt: ($ended | floor | todate), log: $log}
  | if $known != null and $built == 0 and $substituted == 0 then . + {reused: true, seconds: $known.seconds} else . end' >"$WORK/answer.json"
# A re-run that built nothing leaves the record of the run that did.
[ "$(jq .reused "$WORK/answer.json")" = true ] || { cp "$WORK/answer.json" "$record.new" && mv "$record.new" "$record"; }
cat "$WORK/answer.json"
