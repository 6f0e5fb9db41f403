#!/usr/bin/env bash
# read-images.sh: what published images are made of: of two images, what only one of them has.
# stdin {registry, images: [{reference, tls} or {tag}...]}
# stdout {images: [{reference, digest, manifest, config}...], blobs: {DIGEST: {paths: {NAME: bytes}, files, metadata: [{path, text}...]}}}
# of the blobs that not all of the images have: NAME is a store path without /nix/store/, `files` counts what lies elsewhere, and
# metadata are the headers of Python packages. A blob is read where this host has it, else it is fetched, alone.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/registry.sh"

need jq skopeo sha256sum tar zstd gzip awk
read_request .registry.kind .images
open_work
export LC_ALL=C

# open_image NUMBER: the request's image.
open_image() {
  local tag reference tls
  { read -r tag && read -r reference && read -r tls; } < <(jq -r --argjson at "$1" '.images[$at] | .tag // "", .reference // "", .tls' <<<"$REQUEST")
  if [ -n "$tag" ]; then open_registry "$tag"; else open_reference "$reference" "$tls"; fi
}

# read_image NUMBER: manifest and config of the opened image into WORK/NUMBER.json.
read_image() {
  local digest
  digest=$(published_digest)
  [ -n "$digest" ] || fail IMAGE_MISSING "the registry has no image $REFERENCE" "name another tag; an image that the stack published is published again by 'pulumi up'"
  skopeo inspect --raw "${INSPECT[@]}" "$REFERENCE" >"$WORK/$1.manifest"
  jq -e '.config.digest and (.layers | type == "array")' "$WORK/$1.manifest" >/dev/null ||
    fail IMAGE_KIND "$REFERENCE is no single image" "name the image of one system by its digest: NAME@sha256:..." "$(jq -r '.mediaType // "no manifest"' "$WORK/$1.manifest")" "a manifest with config and layers"
  skopeo inspect --raw --config "${INSPECT[@]}" "$REFERENCE" >"$WORK/$1.config"
  jq -cn --arg reference "$REFERENCE" --arg digest "$digest" --slurpfile manifest "$WORK/$1.manifest" --slurpfile config "$WORK/$1.config" \
    '{reference: $reference, digest: $digest, manifest: $manifest[0], config: $config[0]}' >"$WORK/$1.json"
}

# find_blob HEX: the blob's file into BLOB, where it lies in the opened layout, or in an image that this host built.
find_blob() {
  for BLOB in ${LAYOUT:+"$LAYOUT/blobs/sha256/$1"} "$STATE"/roots/images/*/blobs/sha256/"$1"; do
    [ ! -s "$BLOB" ] || return 0
  done
  return 1
}

# fetch_blobs MANIFEST HEX...: these blobs of the opened image into WORK/fetched. For skopeo the others are there already: empty
# files of their size.
fetch_blobs() {
  local manifest=$1 layout=$WORK/fetched digest size
  shift
  rm -rf -- "$layout"
  mkdir -p "$layout/blobs/sha256"
  while read -r digest size; do
    [[ " $* " = *" ${digest#sha256:} "* ]] || truncate -s "$size" "$layout/blobs/sha256/${digest#sha256:}"
  done < <(jq -r '.layers[] | "\(.digest) \(.size)"' "$manifest")
  say "$# blobs of $REFERENCE are not on this host: fetching them"
  skopeo --insecure-policy copy --preserve-digests --retry-times 3 "${INSPECT[@]/#--tls/--src-tls}" "$REFERENCE" "oci:$layout:image" >/dev/null 2>"$WORK/fetch.log" ||
    fail PUBLISH_REGISTRY "blobs of $REFERENCE could not be fetched: $(tail -n 1 "$WORK/fetch.log")" "check the registry's address, TLS and this host's login ('skopeo login')"
}

# unpacked FILE: its tar, by its first bytes. By standard input, since a layout's blob may be a link, which zstd does not open.
unpacked() {
  local magic
  magic=$(head -c 4 -- "$1" | od -An -tx1 | tr -d ' \n')
  case $magic in
    28b52ffd) zstd -dcq <"$1" ;;
    1f8b*) gzip -dc <"$1" ;;
    *) cat <"$1" ;;
  esac
}

# list_and_extract FILE: all of its entries into WORK/list, the headers of Python packages into WORK/metadata; read once.
list_and_extract() {
  local listing
  rm -rf -- "$WORK/metadata" "$WORK/pipe"
  mkdir -p "$WORK/metadata"
  mkfifo "$WORK/pipe"
  # tar stops reading behind an archive's end; what is left is padding, and nobody's error.
  { tar --list --verbose --numeric-owner --quoting-style=literal && cat >/dev/null; } <"$WORK/pipe" >"$WORK/list" 2>"$WORK/list.log" &
  listing=$!
  unpacked "$1" | tee "$WORK/pipe" | {
    tar --extract --directory "$WORK/metadata" --no-same-owner --wildcards 'nix/store/*.dist-info/METADATA' 2>"$WORK/extract.log" ||
      grep -q 'Not found in archive' "$WORK/extract.log"
    cat >/dev/null
  }
  wait "$listing"
}

# describe DIGEST FILE: {DIGEST: contents}.
describe() {
  local file
  list_and_extract "$2" || fail IMAGE_KIND "blob $1 of $REFERENCE cannot be read" "publish the image again, or look at the registry's storage" "$(head -n 1 "$WORK/list.log")" "a tar, plain or compressed by zstd or gzip"
  awk '{ split($6, at, "/") } at[1] == "nix" && at[2] == "store" && at[3] != "" { bytes[at[3]] += $3; next } $1 !~ /^d/ { files++ }
    END { for (name in bytes) printf "path %s %.0f\n", name, bytes[name]; printf "files - %d\n", files }' "$WORK/list" >"$WORK/paths"
  : >"$WORK/headers"
  while IFS= read -r file; do
    sed '/^\r*$/q' "$WORK/metadata/$file" >"$WORK/header"
    jq -cn --arg path "/$file" --rawfile text "$WORK/header" '{path: $path, text: $text}' >>"$WORK/headers"
  done < <(cd -- "$WORK/metadata" && find . -type f -name METADATA -printf '%P\n' | sort)
  jq -cn --arg digest "$1" --rawfile lines "$WORK/paths" --slurpfile metadata "$WORK/headers" '
    ($lines | split("\n") | map(select(. != "") | split(" "))) as $lines |
    {($digest): {paths: ([$lines[] | select(.[0] == "path") | {(.[1]): (.[2] | tonumber)}] | add // {}),
      files: ([$lines[] | select(.[0] == "files") | .[2] | tonumber] | add // 0), metadata: $metadata}}'
}

count=$(jq '.images | length' <<<"$REQUEST")
for ((at = 0; at < count; at++)); do
  open_image "$at"
  read_image "$at"
done
mapfile -t files < <(for ((at = 0; at < count; at++)); do printf '%s\n' "$WORK/$at.json"; done)
: >"$WORK/blobs"
declare -A described=()
for ((at = 0; at < count; at++)); do
  open_image "$at"
  missing=()
  while IFS= read -r digest; do
    find_blob "${digest#sha256:}" || missing+=("${digest#sha256:}")
  done < <(jq -rs --argjson at "$at" '
    length as $count | ([.[] | [.manifest.layers[].digest] | unique[]] | group_by(.) | map(select(length < $count or $count == 1) | .[0])) as $own |
    .[$at].manifest.layers | map(.digest) | unique | map(select(IN($own[]))) | .[]' "${files[@]}" | tee "$WORK/own")
  [ "${#missing[@]}" -eq 0 ] || fetch_blobs "$WORK/$at.manifest" "${missing[@]}"
  while IFS= read -r digest; do
    [ -z "${described[$digest]:-}" ] || continue
    described[$digest]=1
    find_blob "${digest#sha256:}" || BLOB=$WORK/fetched/blobs/sha256/${digest#sha256:}
    describe "$digest" "$BLOB" >>"$WORK/blobs"
  done <"$WORK/own"
done
jq -cn --slurpfile blobs "$WORK/blobs" --slurpfile images <(cat "${files[@]}") '{images: $images, blobs: ($blobs | add // {})}'
