#!/usr/bin/env bash
# publish-image.sh: puts the image together from the layers' blobs and sends what the registry lacks.
# stdin: the request of infra/request.ts (publishRequest); stdout: one JSON object, infra/answers.ts (imageAnswer).
# The tag is the image's fingerprint, so an equal tag must have an equal digest.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/sources.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/nix.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/nix-settings.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/cache.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/disk.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/build.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/run.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/registry.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/growth.sh"

need jq nix nix-store skopeo flock timeout sha256sum
read_request .tag .layers .registry.kind .system .flavor .compression .graph .below .cache.kind .substituters
use_cache
need_nix
tag=$(asked .tag)
[[ $tag =~ ^[0-9a-f]{12}$ ]] || fail REQUEST_INVALID "the request's tag is no fingerprint" "run this script through pulumi" "$tag"

begin_run image "$tag" publish
skopeo --version >>"$LOG"
open_registry "$tag"

say "image: putting it together (log: $LOG)"
# The image refers to the blobs; the layers' contents are roots of their own, since a blob does not keep them.
mapfile -t installables < <(jq -r --arg set "$FLAVOR_SET" '"\($set).comfyui", (.layers | keys[] | "\($set).\(.)")' <<<"$REQUEST")
build image "the image could not be put together" "correct what the log says, then run 'pulumi up' again" \
  "$WORK/result.json" "$STATE/roots/images/$tag" "${installables[@]}"
image=$(jq -r '.[0].outputs.out' "$WORK/result.json")
mapfile -t drvs < <(jq -r '.[].drvPath' "$WORK/result.json")
cache_settle "$LOG"
cache_deliver "$LOG" "images/$tag" "${drvs[@]}"

# OCI image layout: index.json names the manifest, which names config and layers with their sizes.
digest=$(jq -r '.manifests[0].digest' "$image/index.json")
manifest=$image/blobs/sha256/${digest#sha256:}
manifest_size=$(stat -L -c %s "$manifest")
size=$(jq --argjson manifest "$manifest_size" '[.config.size, .layers[].size, $manifest] | add' "$manifest")
found=$(published_digest)
status=published sent=0
if [ "$found" = "$digest" ]; then
  status="already published"
elif [ -n "$found" ]; then
  fail PUBLISH_TAG_TAKEN "the registry has another image under $REFERENCE" "find out who pushed it; remove that tag, or publish to another repository" "$found" "$digest"
else
  check_limits "$manifest"
  guard_growth "$tag" "$image"
  say "image: publishing $REFERENCE"
  name=$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$image/index.json")
  blobs=$(send_image "oci:$image:$name" "$manifest" "$LOG")
  sent=$(sent_bytes "$manifest" "$blobs")
  found=$(published_digest)
  [ "$found" = "$digest" ] || fail PUBLISH_DIGEST "the registry answers with another image than the one sent to $REFERENCE" "check the registry's storage, then run 'pulumi up' again" "$found" "$digest"
fi
move_live_tag "$digest"
keep_sizes "$tag" "$image"

jq -cn --arg reference "$REFERENCE" --arg tag "$tag" --arg digest "$digest" --arg status "$status" --argjson size "$size" --argjson sent "$sent" \
  --argjson started "$STARTED" --argjson ended "$(date -u +%s.%N)" '
  {reference: $reference, tag: $tag, digest: $digest, size: $size, status: $status, sentBytes: $sent, skippedBytes: ($size - $sent),
   seconds: (($ended - $started) * 10 | round / 10)}' >"$STATE/records/image/$tag.json"
jq -c '{status, digest, size, sentBytes}' "$STATE/records/image/$tag.json" >"$WORK/facts.json"
cat "$STATE/records/image/$tag.json"
