#!/usr/bin/env bash
# publish-image.sh: puts the image together from the layers' blobs, or one for each system under an index, and sends what the
# registry lacks.
# stdin: the request of infra/request.ts (publishRequest); stdout: one JSON object, infra/answers.ts (imageAnswer).
# The tag is the image's fingerprint, so an equal tag must have an equal digest.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
. "$HOSTS/run.sh"
. "$HOSTS/build.sh"
. "$HOSTS/registry.sh"
. "$HOSTS/growth.sh"

# images_by_system: digest and size of each of `images`, the images of `systems`, as JSON by system.
images_by_system() {
  local at manifest
  for at in "${!images[@]}"; do
    manifest=$(named_blob "${images[at]}")
    jq -cn --arg system "${systems[at]}" --arg digest "sha256:${manifest##*/}" --argjson size "$(image_bytes "$manifest")" '{($system): {$digest, $size}}'
  done | jq -cs add
}

need jq nix nix-store skopeo flock timeout sha256sum
read_request .tag .registry.kind .flavor .compression .graph .below .cache.kind .substituters
[ "$(jq 'has("images")' <<<"$REQUEST")" = true ] || demand .layers .system
use_cache
need_nix
tag=$(asked .tag)
[[ $tag =~ ^[0-9a-f]{12}$ ]] || fail REQUEST_INVALID "the request's tag is no fingerprint" "run this script through pulumi" "$tag"

begin_run image "$tag" publish
skopeo --version >>"$LOG"
open_registry "$tag"

say "image: putting it together (log: $LOG)"
# The image refers to the blobs; the layers' contents are roots of their own, since a blob does not keep them.
mapfile -t systems < <(jq -r '.images // {(.system): .layers} | keys[]' <<<"$REQUEST")
installables=()
for system in "${systems[@]}"; do installables+=("$(flavor_set "$system").comfyui"); done
for system in "${systems[@]}"; do
  mapfile -t -O "${#installables[@]}" installables < <(jq -r --arg system "$system" --arg set "$(flavor_set "$system")" '(.images[$system] // .layers) | keys[] | "\($set).\(.)"' <<<"$REQUEST")
done
build image "the image could not be put together" "correct what the log says, then run 'pulumi up' again" \
  "$WORK/result.json" "$STATE/roots/images/$tag" "${installables[@]}"
mapfile -t images < <(jq -r --argjson count "${#systems[@]}" '.[:$count][].outputs.out' "$WORK/result.json")
mapfile -t drvs < <(jq -r '.[].drvPath' "$WORK/result.json")
cache_settle "$LOG"
cache_deliver "$LOG" "images/$tag" "${drvs[@]}"

# OCI image layout: index.json names the manifest, which names config and layers with their sizes. Of several images another
# layout has an index that names their manifests, and what engines choose by.
image=${images[0]} by_system=null
if [ "${#images[@]}" -gt 1 ]; then
  by_system=$(images_by_system)
  image=$WORK/index
  join_images "$image" "${images[@]}"
fi
manifests=$WORK/manifests
{
  [ "${#images[@]}" -eq 1 ] || cat "$(named_blob "$image")"
  for each in "${images[@]}"; do cat "$(named_blob "$each")"; done
} >"$manifests"
digest=$(jq -r '.manifests[0].digest' "$image/index.json")
size=$(image_bytes "$manifests")
found=$(published_digest)
status=published sent=0
if [ "$found" = "$digest" ]; then
  status="already published"
elif [ -n "$found" ]; then
  fail PUBLISH_TAG_TAKEN "the registry has another image under $REFERENCE" "find out who pushed it; remove that tag, or publish to another repository" "$found" "$digest"
else
  check_limits "$manifests"
  guard_growth "$tag" "${images[@]}"
  say "image: publishing $REFERENCE"
  name=$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$image/index.json")
  blobs=$(send_image "oci:$image:$name" "$manifests" "$LOG")
  sent=$(sent_bytes "$manifests" "$blobs")
  found=$(published_digest)
  [ "$found" = "$digest" ] || fail PUBLISH_DIGEST "the registry answers with another image than the one sent to $REFERENCE" "check the registry's storage, then run 'pulumi up' again" "$found" "$digest"
fi
move_live_tag "$digest"
keep_sizes "$tag" "${images[@]}"
# What a collection never takes: the image that was published last.
mapfile -t outs < <(nix-store --query --outputs "${drvs[@]}")
cache_keep live "${outs[@]}" || say "the cache's collection takes away what is published: run 'pulumi up' again"

jq -cn --arg reference "$REFERENCE" --arg tag "$tag" --arg digest "$digest" --arg status "$status" --argjson size "$size" --argjson sent "$sent" \
  --argjson images "$by_system" \
  --argjson started "$STARTED" --argjson ended "$(date -u +%s.%N)" '
  {reference: $reference, tag: $tag, digest: $digest, size: $size, status: $status, sentBytes: $sent, skippedBytes: ($size - $sent),
   seconds: (($ended - $started) * 10 | round / 10)} + if $images == null then {} else {$images} end' >"$STATE/records/image/$tag.json"
jq -c '{status, digest, size, sentBytes}' "$STATE/records/image/$tag.json" >"$WORK/facts.json"
cat "$STATE/records/image/$tag.json"
