#!/usr/bin/env bash
# copy-image.sh: copies a published image, by its digest, to its tag in another registry, which gets the blobs that it lacks.
# stdin {source: {reference, digest, tls}, registry, tag, dryRun}; stdout {reference, digest, size, status, sentBytes}; with dryRun
# nothing is sent. An image that is there under another digest is never replaced.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/registry.sh"

need jq skopeo sha256sum
read_request .source.reference .source.digest .registry.kind .tag
open_work
digest=$(asked .source.digest)
open_reference "$(asked .source.reference)" "$(asked .source.tls)"
found=$(published_digest)
[ -n "$found" ] || fail IMAGE_MISSING "the registry has no image $REFERENCE, which the stack published" "run 'pulumi up' on that stack: it publishes again what is lost"
[ "$found" = "$digest" ] || fail PUBLISH_TAG_TAKEN "the registry has another image under $REFERENCE" "find out who pushed it; the stack's own is published again once that tag is gone" "$found" "$digest"
read_manifests "$WORK/manifests"
from=$REFERENCE from_options=("${INSPECT[@]/#--tls/--src-tls}")
# A layout knows its images by tag only.
[ -n "$LAYOUT" ] || from=${REFERENCE%:*}@$digest
size=$(image_bytes "$WORK/manifests")

open_registry "$(asked .tag)"
found=$(published_digest)
status=copied sent=0
if [ "$found" = "$digest" ]; then
  status="already there"
elif [ -n "$found" ]; then
  fail PUBLISH_TAG_TAKEN "the registry has another image under $REFERENCE" "find out who pushed it; remove that tag, or publish to another repository" "$found" "$digest"
else
  check_limits "$WORK/manifests"
  if [ "${ASKED[.dryRun]-}" = true ]; then
    status="to be copied"
  else
    say "image: copying $REFERENCE"
    blobs=$(send_image "$from" "$WORK/manifests" "$WORK/copy.log" "${from_options[@]}")
    sent=$(sent_bytes "$WORK/manifests" "$blobs")
    found=$(published_digest)
    [ "$found" = "$digest" ] || fail PUBLISH_DIGEST "the registry answers with another image than the one sent to $REFERENCE" "check the registry's storage, then run the command again" "$found" "$digest"
  fi
fi
jq -cn --arg reference "$REFERENCE" --arg digest "$digest" --arg status "$status" --argjson size "$size" --argjson sent "$sent" \
  '{reference: $reference, digest: $digest, size: $size, status: $status, sentBytes: $sent}'
