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
  local at
  for at in "${!images[@]}"; do
    open_layout "${images[at]}"
    jq -cn --arg system "${systems[at]}" --arg digest "$DIGEST" --argjson size "$(image_bytes "$MANIFEST")" '{($system): {$digest, $size}}'
  done | jq -cs add
}

# asked_layers: the layers of the image, or of the images under the index, a line `SYSTEM.LAYER key` each.
asked_layers() {
  # A system's own line is its layers as JSON.
  if [ -n "${ASKED[.images]-}" ]; then asked_below .images | sed -n '/^[^ ]*[.]/p'; else asked_below .layers | sed "s/^/$(asked .system)./"; fi
}

need jq nix nix-store skopeo flock timeout sha256sum
read_request .tag .registry.kind .flavor .compression .graph .below .cache.kind .substituters
[ -n "${ASKED[.images]-}" ] || demand .layers .system
use_cache
need_nix
tag=$(asked .tag)
[[ $tag =~ ^[0-9a-f]{12}$ ]] || fail REQUEST_INVALID "the request's tag is no fingerprint" "run this script through pulumi" "$tag"

begin_run image "$tag" publish
open_registry "$tag"

say "image: putting it together (log: $LOG)"
# The image refers to the blobs; the layers' contents are roots of their own, since a blob does not keep them.
systems=() images=() layers=() last=
while IFS='. ' read -r system attr _; do
  [ "$system" = "$last" ] || systems+=("$system") images+=("$(flavor_set "$system").comfyui")
  last=$system
  layers+=("$(flavor_set "$system").$attr")
done < <(asked_layers | LC_ALL=C sort)
build image "the image could not be put together" "correct what the log says, then run 'pulumi up' again" \
  "$WORK/result.json" "$STATE/roots/images/$tag" "${images[@]}" "${layers[@]}"
read_built "$WORK/result.json"
images=("${OUTS[@]:0:${#systems[@]}}")
cache_settle "$LOG"
cache_deliver "$LOG" "images/$tag" "${DRVS[@]}"

# OCI image layout: index.json names the manifest, which names config and layers with their sizes. Of several images another
# layout has an index that names their manifests, and what engines choose by.
image=${images[0]} by_system=null
if [ "${#images[@]}" -gt 1 ]; then
  by_system=$(images_by_system)
  image=$WORK/index
  join_images "$image" "${images[@]}"
fi
open_layout "$image"
digest=$DIGEST name=$NAME manifests=$WORK/manifests
cat "$MANIFEST" >"$manifests"
if [ "${#images[@]}" -gt 1 ]; then
  for each in "${images[@]}"; do
    open_layout "$each"
    cat "$MANIFEST" >>"$manifests"
  done
fi
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
  skopeo --version >>"$LOG"
  say "image: publishing $REFERENCE"
  blobs=$(send_image "oci:$image:$name" "$manifests" "$LOG")
  sent=$(sent_bytes "$manifests" "$blobs")
  found=$(published_digest)
  [ "$found" = "$digest" ] || fail PUBLISH_DIGEST "the registry answers with another image than the one sent to $REFERENCE" "check the registry's storage, then run 'pulumi up' again" "$found" "$digest"
fi
move_live_tag "$digest"
keep_sizes "$tag" "${images[@]}"
# What a collection never takes: the image that was published last.
cache_keep live "${DELIVERED[@]}" || say "the cache's collection takes away what is published: run 'pulumi up' again"

jq -cn --arg reference "$REFERENCE" --arg tag "$tag" --arg digest "$digest" --arg status "$status" --argjson size "$size" --argjson sent "$sent" \
  --argjson images "$by_system" \
  --argjson started "$STARTED" --argjson ended "$(date -u +%s.%N)" '
  {reference: $reference, tag: $tag, digest: $digest, size: $size, status: $status, sentBytes: $sent, skippedBytes: ($size - $sent),
   seconds: (($ended - $started) * 10 | round / 10)} + if $images == null then {} else {$images} end
  | ., {status, digest, size, sentBytes}' >"$WORK/told"
{ read -r answer && read -r facts; } <"$WORK/told"
printf '%s\n' "$facts" >"$WORK/facts.json"
printf '%s\n' "$answer" | tee "$STATE/records/image/$tag.json"
