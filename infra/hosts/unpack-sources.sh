#!/usr/bin/env bash
# unpack-sources.sh: puts the uploaded sources in the place of those that were there; files that are no more go.
# Read out of the archive itself, since it comes with the sources: bash <(tar -xOf ARCHIVE infra/hosts/unpack-sources.sh) ARCHIVE
# stdin {protocol, digest}, stdout {"digest"}
set -euo pipefail

archive=$1
state=$(cd -- "$(dirname -- "$archive")" && pwd)
new=$state/new
rm -rf -- "$new"
mkdir -p -- "$new"
tar -xf "$archive" -C "$new" --no-same-owner
. "$new/infra/hosts/common.sh"

need jq sha256sum
read_request .digest
found=$(sha256sum <"$archive" | cut -c 1-64)
[ "$found" = "$(asked .digest)" ] || fail HOST_SOURCES_MISSING "the sources did not come whole to this host" \
  "send them again: pulumi up --replace '**::comfyui-build-host-*'" "sha256 $found" "sha256 $(asked .digest)"
root=$(cd -- "$state/../.." && pwd)
for folder in infra layers; do
  rm -rf -- "${state:?}/old"
  [ ! -e "$root/$folder" ] || mv -- "$root/$folder" "$state/old"
  mv -- "$new/$folder" "$root/$folder"
done
rm -rf -- "$state/old" "$new"
jq -cn --arg digest "$found" '{digest: $digest}'
