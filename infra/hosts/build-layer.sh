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
[ "$HAS_BLOB" = false ] || installables+=("$attr.blob")

say "$name: building (log: $LOG)"
build "$name" "$name did not build" "correct the layer, then run 'pulumi up' again: finished layers are kept" \
  "$WORK/result.json" "$STATE/roots/layers/$name" "${installables[@]}"

read_built "$WORK/result.json"
say "$name: copying to the cache"
cache_mend "$LOG"
cache_deliver "$LOG" "layers/$layer/$fingerprint" "${DRVS[@]}"

# By what was built, not by the key: an edited comment is another key for the same thing. The record is of the run that built it;
# buildBytes is what that took: the contents, the tar that is made of them, and the blob. A layer that is no blob is its closure.
record=$STATE/records/$name/$(printf '%s\n' "${OUTS[@]}" | word).json
known=/dev/null described=/dev/null
[ ! -s "$record" ] || known=$record
[ "$HAS_BLOB" = false ] || described=${OUTS[2]}/blob.json
jq -cn --arg layer "$layer" --arg fingerprint "$fingerprint" --arg log "$LOG" --arg storePath "${OUTS[0]}" \
  --slurpfile described "$described" --slurpfile known "$known" \
  --argjson started "$STARTED" --argjson ended "$(date -u +%s.%N)" \
  --argjson built "$(sed -n "s/^building '\([^']*\)'.*/\1/p" "$LOG" | sort -u | wc -l)" \
  --argjson substituted "$(grep "^copying path '.* from '" "$LOG" | grep -c -v " from 'ssh" || [ $? -eq 1 ])" \
  --argjson cached "$CACHED" --argjson closure "$(nix path-info --closure-size "${OUTS[0]}" | awk '{ print $2 }')" '
  ($known != [] and $built == 0 and $substituted == 0) as $reused
  | {layer: $layer, fingerprint: $fingerprint, storePath: $storePath,
     blobs: [$described[] | .mediaType as $mediaType | .blobs[] | {mediaType: $mediaType, digest, diffId, size, tarSize}],
     seconds: (if $reused then $known[0].seconds else ($ended - $started) * 10 | round / 10 end), built: $built, substituted: $substituted, reused: $reused,
     cached: $cached, startedAt: ($started | floor | todate), endedAt: ($ended | floor | todate), log: $log}
  | ., {built, substituted, reused, cached, storePath, closureSize: $closure, sizes: [.blobs[].size], tarSizes: [.blobs[].tarSize]},
    . + {buildBytes: (2 * ([.blobs[].tarSize] | add // $closure) + ([.blobs[].size] | add // 0))}' >"$WORK/told"
{ read -r answer && read -r facts && read -r built; } <"$WORK/told"
printf '%s\n' "$answer" >"$WORK/answer.json"
printf '%s\n' "$facts" >"$WORK/facts.json"
if [[ $answer != *'"reused":true'* ]]; then
  printf '%s\n' "$built" >"$record.new"
  mv "$record.new" "$record"
fi
report_layer "$WORK/answer.json" || say "$layer: its metrics did not get to CloudWatch; the build is not touched by that"
cat "$WORK/answer.json"
