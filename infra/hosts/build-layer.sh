#!/usr/bin/env bash
# build-layer.sh: builds one layer from a checked copy of its sources, and copies it, signed, to the binary cache.
# stdin: the request of infra/request.ts (layerRequest); stdout: one JSON object, infra/answers.ts (layerAnswer).
# Safe to run at any time and any number of times; what is there already is not built again.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
. "$HOSTS/run.sh"
. "$HOSTS/build.sh"
. "$HOSTS/metrics.sh"

need jq nix nix-store flock timeout sha256sum
read_request .layer .fingerprint .inputs .system .flavor .compression .graph .below .cache.kind .substituters
use_cache
need_nix
layer=$(asked .layer)
fingerprint=$(asked .fingerprint)
[[ $layer =~ ^[a-z0-9-]+$ && $fingerprint =~ ^[0-9a-f]{12}$ ]] ||
  fail REQUEST_INVALID "the request names no layer and fingerprint" "run this script through pulumi" "$layer $fingerprint"

system=$(asked .system)
name=$(run_name "$layer" "$system")
begin_run "$name" "$fingerprint" build "$layer"
guard_disk "$name"
attr=$(flavor_set "$system").$layer
installables=("$attr" "$attr.checks")
has_blob=$(jq --arg layer "$layer" '.layers[] | select(.attr == $layer) | .blob' "$WORK/source/layers.json")
[ "$has_blob" = false ] || installables+=("$attr.blob")

say "$name: building (log: $LOG)"
build "$name" "$name did not build" "correct the layer, then run 'pulumi up' again: finished layers are kept" \
  "$WORK/result.json" "$STATE/roots/layers/$name" "${installables[@]}"

mapfile -t drvs < <(jq -r '.[].drvPath' "$WORK/result.json")
mapfile -t outs < <(jq -r '.[].outputs.out' "$WORK/result.json")
say "$name: copying to the cache"
cache_mend "$LOG"
cache_deliver "$LOG" "layers/$layer/$fingerprint" "${drvs[@]}"

# By what was built, not by the key: an edited comment is another key for the same thing.
record=$STATE/records/$name/$(printf '%s\n' "${outs[@]}" | word).json
blob=/dev/null
[ "$has_blob" = false ] || blob=${outs[2]}/blob.json
jq -cn --arg layer "$layer" --arg fingerprint "$fingerprint" --arg log "$LOG" --arg storePath "${outs[0]}" \
  --slurpfile blob "$blob" --slurpfile known <(cat "$record" 2>/dev/null || [ $? -eq 1 ]) \
  --argjson started "$STARTED" --argjson ended "$(date -u +%s.%N)" \
  --argjson built "$(sed -n "s/^building '\([^']*\)'.*/\1/p" "$LOG" | sort -u | wc -l)" \
  --argjson substituted "$(grep "^copying path '.* from '" "$LOG" | grep -c -v " from 'ssh" || [ $? -eq 1 ])" \
  --argjson cached "$CACHED" '
  {layer: $layer, fingerprint: $fingerprint, storePath: $storePath,
   blobs: [$blob[] | .mediaType as $mediaType | .blobs[] | {mediaType: $mediaType, digest, diffId, size, tarSize}],
   seconds: (($ended - $started) * 10 | round / 10), built: $built, substituted: $substituted, reused: false, cached: $cached,
   startedAt: ($started | floor | todate), endedAt: ($ended | floor | todate), log: $log}
  | if $known != [] and $built == 0 and $substituted == 0 then . + {reused: true, seconds: $known[0].seconds} else . end' >"$WORK/answer.json"
contents=$(nix path-info --closure-size "${outs[0]}" | awk '{ print $2 }')
jq -c --argjson closure "$contents" '{built, substituted, reused, cached, storePath, closureSize: $closure,
  sizes: [.blobs[].size], tarSizes: [.blobs[].tarSize]}' "$WORK/answer.json" >"$WORK/facts.json"
# A re-run that built nothing leaves the record of the run that did.
if [ "$(jq .reused "$WORK/answer.json")" = false ]; then
  # What a build takes: the contents, the tar that is made of them, and the blob. A layer that is no blob is its closure.
  jq -c --argjson closure "$contents" '. + {buildBytes: (2 * ([.blobs[].tarSize] | add // $closure) + ([.blobs[].size] | add // 0))}' "$WORK/answer.json" >"$record.new"
  mv "$record.new" "$record"
fi
report_layer "$WORK/answer.json" || say "$layer: its metrics did not get to CloudWatch; the build is not touched by that"
cat "$WORK/answer.json"
