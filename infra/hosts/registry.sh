# The registry as skopeo sees it: sourced, never run.
# shellcheck shell=bash

# open_registry TAG: the image's reference into REFERENCE, skopeo's options for it into INSPECT and COPY.
open_registry() {
  local tls
  INSPECT=()
  COPY=()
  case $(asked .registry.kind) in
    oci-directory)
      LAYOUT=$ROOT/$(asked .registry.path)
      mkdir -p -- "$LAYOUT"
      REFERENCE=oci:$LAYOUT:$1
      ;;
    registry)
      LAYOUT=
      REFERENCE=docker://$(asked .registry.repository):$1
      tls=$(asked .registry.tls)
      [ "$tls" = true ] || { INSPECT=(--tls-verify=false) COPY=(--dest-tls-verify=false); }
      ;;
    *) fail REQUEST_INVALID "the registry's kind is not known" "run 'pulumi up' with the program of this script's revision" "$(asked .registry.kind)" "oci-directory or registry" ;;
  esac
}

# published_digest: digest of the manifest that the registry has under the reference, computed from the bytes it sends;
# nothing where it has none.
published_digest() {
  local answer problem
  answer=$(mktemp -- "$WORK/manifest.XXXXXX")
  if problem=$(skopeo inspect --raw "${INSPECT[@]}" "$REFERENCE" 2>&1 >"$answer"); then
    printf 'sha256:%s' "$(sha256sum <"$answer" | cut -c 1-64)"
  elif ! grep -q -i -E 'manifest unknown|name unknown|not found|no descriptor found|index\.json: no such file' <<<"$problem"; then
    fail PUBLISH_REGISTRY "the registry could not be asked for $REFERENCE: $(head -n 1 <<<"$problem")" \
      "check its address, TLS and this host's login ('skopeo login')"
  fi
  rm -f -- "$answer"
}

# missing_blobs: of the digests on stdin those that the layout has not; a registry is asked by skopeo itself.
missing_blobs() {
  local digest
  while IFS= read -r digest; do
    [ -e "$LAYOUT/blobs/sha256/${digest#sha256:}" ] || printf '%s\n' "$digest"
  done
}

# check_limits MANIFEST: what the registry takes of one image, where the request knows it; before a byte is sent.
check_limits() {
  local over
  over=$(jq -r --argjson limits "$(jq -c '.registry.limits // {}' <<<"$REQUEST")" '
    [(.layers[] | select($limits.layerBytes != null and .size > $limits.layerBytes) | "a layer of \(.size) bytes, where \($limits.layerBytes) are taken"),
     (.layers | length | select($limits.layers != null and . > $limits.layers) | "\(.) layers, where \($limits.layers) are taken")] | join("; ")' "$1")
  [ -z "$over" ] || fail PUBLISH_LIMITS "the registry of $REFERENCE does not take this image" "give the flavor a smaller blobLimit in layers/layers.json, or hoist what is large" "$over"
}

# move_live_tag DIGEST: the tag that says which image was published last, where the request has one. Its image is there.
move_live_tag() {
  local live reference=$REFERENCE
  live=$(jq -r '.registry.liveTag // empty' <<<"$REQUEST")
  [ -n "$live" ] || return 0
  REFERENCE=${reference%:*}:$live
  if [ "$(published_digest)" != "$1" ]; then
    say "image: $live is this one now"
    skopeo --insecure-policy copy --preserve-digests --retry-times 3 "${INSPECT[@]/#--tls/--src-tls}" "${COPY[@]}" "$reference" "$REFERENCE" >/dev/null 2>"$WORK/live.log" ||
      fail PUBLISH_FAILED "the tag $live could not be moved: $(tail -n 1 "$WORK/live.log")" "see that tags beginning with live- may change in this repository"
  fi
  REFERENCE=$reference
}

# send_image IMAGE MANIFEST LOG: copies the layout's image; digests of the blobs really sent on stdout. Skopeo names them only
# in its debug messages, of which nothing else is kept: others may hold what a log must not.
send_image() {
  local name status=0 before=
  name=$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$1/index.json")
  [ -z "$LAYOUT" ] || before=$(jq -r '.config.digest, .layers[].digest' "$2" | missing_blobs)
  skopeo --debug --insecure-policy copy --preserve-digests --retry-times 3 "${COPY[@]}" "oci:$1:$name" "$REFERENCE" 2>&1 >/dev/null |
    grep -o -E 'Upload of layer sha256:[0-9a-f]{64} complete|level=(warning|error|fatal) .*' >>"$3" || status=${PIPESTATUS[0]}
  [ "$status" -eq 0 ] || fail PUBLISH_FAILED "the image could not be copied to $REFERENCE: $(tail -n 1 "$3")" \
    "check that the registry is reachable and that this host is logged in ('skopeo login')"
  if [ -n "$LAYOUT" ]; then printf '%s\n' "$before"; else sed -n -E 's/^Upload of layer (sha256:[0-9a-f]{64}) complete$/\1/p' "$3"; fi | sort -u
}
