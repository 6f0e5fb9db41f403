#!/usr/bin/env bash
# image-sources.sh: what an image was made from, as this host's Nix store knows it: of an image that it has put together.
# stdin {digest}; stdout {references: {NAME: [NAME...]}, sources: {NAME: [FILE...]}, files: {FILE: {hash, tree}}}
# NAME and FILE are store paths without /nix/store/. `references`: of each store path of the image, to others of it. `sources`:
# the fetched files that a store path was made from, without a step between. `files`: every fetched file that the image took to
# build, with its SHA-256; `tree`: the hash is of an unpacked folder (NAR).
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"

need jq nix-store awk xargs
read_request .digest
open_work
digest=$(asked .digest)

# find_image DIGEST: the image's root on this host into IMAGE.
find_image() {
  local index
  for index in "$STATE"/roots/images/*/index.json; do
    IMAGE=${index%/index.json}
    [ ! -e "$index" ] || [ "$(jq -r '.manifests[0].digest' "$index")" != "$1" ] || return 0
  done
  return 1
}
drv=""
if find_image "$digest"; then drv=$(nix-store --query --deriver "$IMAGE"); fi
[ -e "$drv" ] ||
  fail IMAGE_SOURCES "this host does not know what the image was made from" "build it here ('pulumi up' at the revision that made it), or name an image that this stack built" "$digest" "an image that this host has put together"

# The layers' contents are roots beside the image: IMAGE-1 and so on.
nix-store --query --requisites "$IMAGE"-[0-9]* | LC_ALL=C sort -u >"$WORK/paths"
# One process for all: path, hash, size, deriver, the count of references, and these, a line each.
xargs nix-store --dump-db <"$WORK/paths" |
  awk 'field < 5 { field++; if (field == 1) path = $0; if (field == 5 && (left = $0) == 0) field = 0; next } { print path, $0; if (--left == 0) field = 0 }' >"$WORK/references"

# Of a derivation's text the outputs and the derivations that it takes, as JSON: Derive([(NAME,PATH,ALGORITHM,HASH)...],[(DRV,[NAME...])...
output='\("[^"]*","[^"]*","[^"]*","[^"]*"\)' input='\("[^"]*",\["[^"]*"(,"[^"]*")*\]\)'
nix-store --query --requisites "$drv" | grep '\.drv$' |
  xargs grep -oHE "^Derive\(\[$output(,$output)*\],\[($input(,$input)*)?\]" |
  sed -E 's/^([^:]+):Derive\((.*)$/["\1",\2]/; y/()/[]/' >"$WORK/derivations"

jq -cn --slurpfile derivations "$WORK/derivations" --rawfile paths "$WORK/paths" --rawfile references "$WORK/references" '
  def name: ltrimstr("/nix/store/");
  def lines: split("\n") | map(select(. != ""));
  ($derivations | map({(.[0]): .[1]}) | add) as $outputs
  | ($derivations | map(select(.[1] | length == 1 and .[0][2] != "") | .[1][0] | {(.[1] | name): {hash: .[3], tree: (.[2] | startswith("r:"))}}) | add // {}) as $files
  | ($paths | lines | map({(.): true}) | add) as $own
  | {references: ($references | lines | map(split(" ")) | group_by(.[0]) | map({(.[0][0] | name): (map(.[1]) - [.[0][0]] | map(name))}) | add // {}),
     sources: ($derivations | map(. as [$drv, $outs, $ins] | ($outs[] | .[1] | select($own[.])) | {(. | name): [$ins[] | $outputs[.[0]][] | .[1] | name | select($files[.])]}) | add // {}),
     files: $files}'
