# The registry as skopeo sees it: sourced, never run.
# shellcheck shell=bash

. "$HOSTS/registry-limits.sh"

# open_registry TAG: the tag in the request's registry, as open_reference leaves it.
open_registry() {
  case $(asked .registry.kind) in
    oci-directory)
      demand .registry.path
      mkdir -p -- "$ROOT/$(asked .registry.path)"
      open_reference "oci:$ROOT/$(asked .registry.path):$1" true
      ;;
    registry)
      demand .registry.repository .registry.tls
      open_reference "docker://$(asked .registry.repository):$1" "$(asked .registry.tls)"
      ;;
    *) fail REQUEST_INVALID "the registry's kind is not known" "run 'pulumi up' with the program of this script's revision" "$(asked .registry.kind)" "oci-directory or registry" ;;
  esac
}

# open_reference REFERENCE TLS: the image's reference into REFERENCE, the layout's folder into LAYOUT where it lies in one,
# skopeo's options for it into INSPECT and COPY.
open_reference() {
  REFERENCE=$1 LAYOUT="" INSPECT=() COPY=()
  case $1 in oci:*) LAYOUT=${1#oci:} LAYOUT=${LAYOUT%:*} ;; esac
  [ "$2" = true ] || { INSPECT=(--tls-verify=false) COPY=(--dest-tls-verify=false); }
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

# Below, MANIFESTS is a file with an image's manifest; of several images with the manifest of each, and their index.

# check_limits MANIFESTS: what the registry takes of one image, where the request or its name tells; before a byte is sent.
check_limits() {
  local over known
  known=$(known_limits "${ASKED[.registry.repository]-}")
  [ "$known" != '{}' ] || [ -n "${ASKED[.registry.limits]-}" ] || return 0
  over=$(jq -rs --argjson known "$known" --argjson asked "${ASKED[.registry.limits]-null}" '($known + $asked) as $limits
    | [.[] | select(.layers) | (.layers[] | select($limits.layerBytes != null and .size > $limits.layerBytes) | "a layer of \(.size) bytes, where \($limits.layerBytes) are taken"),
     (.layers | length | select($limits.layers != null and . > $limits.layers) | "\(.) layers, where \($limits.layers) are taken")] | join("; ")' "$1")
  [ -z "$over" ] || fail PUBLISH_LIMITS "the registry of $REFERENCE does not take this image" "give the flavor a smaller blobLimit in layers/layers.json, or hoist what is large" "$over"
}

# move_live_tag DIGEST: the tag that says which image was published last, where the request has one. Its image is there.
move_live_tag() {
  local live reference=$REFERENCE
  live=${ASKED[.registry.liveTag]-}
  [ -n "$live" ] || return 0
  REFERENCE=${reference%:*}:$live
  if [ "$(published_digest)" != "$1" ]; then
    say "image: $live is this one now"
    skopeo --insecure-policy copy --all --preserve-digests --retry-times 3 "${INSPECT[@]/#--tls/--src-tls}" "${COPY[@]}" "$reference" "$REFERENCE" >/dev/null 2>"$WORK/live.log" ||
      fail PUBLISH_FAILED "the tag $live could not be moved: $(tail -n 1 "$WORK/live.log")" "see that tags beginning with live- may change in this repository"
  fi
  REFERENCE=$reference
}

# open_layout LAYOUT: what its index.json names, a manifest or an index: its DIGEST, its NAME there, and its file MANIFEST.
open_layout() {
  # shellcheck disable=SC2034  # read by the scripts that source this file
  read -r DIGEST NAME < <(jq -r '.manifests[0] | "\(.digest) \(.annotations["org.opencontainers.image.ref.name"])"' "$1/index.json")
  # shellcheck disable=SC2034
  MANIFEST=$1/blobs/${DIGEST/://}
}

# join_images FOLDER LAYOUT...: a layout of one index over the images of these, whose blobs are links to theirs.
join_images() {
  local folder=$1 layout index digest
  shift
  rm -rf -- "$folder"
  mkdir -p -- "$folder/blobs/sha256"
  for layout in "$@"; do ln -sf -- "$layout"/blobs/sha256/* "$folder/blobs/sha256/"; done
  index=$(jq -cSs '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: map(.manifests[0] | del(.annotations))}' "${@/%//index.json}")
  digest=$(printf %s "$index" | sha256sum | cut -c 1-64)
  printf %s "$index" >"$folder/blobs/sha256/$digest"
  printf '{"imageLayoutVersion":"1.0.0"}' >"$folder/oci-layout"
  jq -cn --arg digest "sha256:$digest" --argjson size "${#index}" '{schemaVersion: 2, manifests: [{mediaType: "application/vnd.oci.image.index.v1+json",
    $digest, $size, annotations: {"org.opencontainers.image.ref.name": "latest"}}]}' >"$folder/index.json"
}

# read_manifests FILE: the manifest under REFERENCE into FILE; of an index, it and all manifests that it names.
read_manifests() {
  local digest
  skopeo inspect --raw "${INSPECT[@]}" "$REFERENCE" >"$1"
  for digest in $(jq -r '.manifests[]?.digest' "$1"); do
    # A layout knows its images by tag only.
    if [ -n "$LAYOUT" ]; then cat -- "$LAYOUT/blobs/${digest/://}"; else skopeo inspect --raw "${INSPECT[@]}" "${REFERENCE%:*}@$digest"; fi
  done >"$1.named"
  cat "$1.named" >>"$1"
}

# send_image FROM MANIFESTS LOG [OPTION...]: copies an image, or an index with its images, to REFERENCE, with skopeo's options for
# where it comes from; digests of the blobs really sent on stdout. Skopeo names them only in its debug messages, of which nothing
# else is kept: others may hold what a log must not.
send_image() {
  local from=$1 manifests=$2 log=$3 status=0 before=
  shift 3
  [ -z "$LAYOUT" ] || before=$(jq -r '(.config // empty, .layers[]?).digest' "$manifests" | missing_blobs)
  skopeo --debug --insecure-policy copy --all --preserve-digests --retry-times 3 "$@" "${COPY[@]}" "$from" "$REFERENCE" 2>&1 >/dev/null |
    grep -o -E 'Upload of layer sha256:[0-9a-f]{64} complete|level=(warning|error|fatal) .*' >>"$log" || status=${PIPESTATUS[0]}
  [ "$status" -eq 0 ] || fail PUBLISH_FAILED "the image could not be copied to $REFERENCE: $(tail -n 1 "$log")" \
    "check that the registry is reachable and that this host is logged in ('skopeo login')"
  if [ -n "$LAYOUT" ]; then printf '%s\n' "$before"; else sed -n -E 's/^Upload of layer (sha256:[0-9a-f]{64}) complete$/\1/p' "$log"; fi | sort -u
}

# image_bytes MANIFESTS: bytes of the manifests and of all that they name.
image_bytes() {
  bytes_of "$1" true
}

# sent_bytes MANIFESTS BLOBS: bytes of these blobs, and of the manifests, which are sent whatever the registry has.
sent_bytes() {
  # shellcheck disable=SC2016  # jq's variable
  bytes_of "$1" '.digest | IN($blobs | split("\n")[])' --arg blobs "$2"
}

# bytes_of MANIFESTS CONDITION [OPTION...]: bytes of the manifests and of those that they name which satisfy it; jq's options for it.
bytes_of() {
  jq -s --argjson manifests "$(stat -L -c %s "$1")" "${@:3}" \
    "[map(.config // empty, .layers[]?) | unique_by(.digest)[] | select($2) | .size] + [\$manifests] | add" "$1"
}
