# shellcheck shell=bash disable=SC2154
# Builds layer by layer, so that each is in the store (and in the cache of a machine that has one) before the next begins.
read_options build-incremental '' "$@"
[ "${#positional[@]}" -eq 0 ] || usage build-incremental ''

work=$(mktemp -d)
table=()
total=0

megabytes() { printf '%d.%d MB' "$(($1 / 1000000))" "$(($1 / 100000 % 10))"; }

# build_one ATTRIBUTE: one row of the table.
build_one() {
  local attribute=$1 started=$SECONDS log=$work/$1.log paths what built fetched size=-
  local wanted=("$attribute")
  [ "$attribute" = comfyui ] || wanted+=("$attribute.checks")
  if has_blob "$attribute"; then wanted+=("$attribute.blob"); fi
  printf '%s …\n' "$attribute" >&2
  if ! paths=$(nix_build "$log" "${wanted[@]}"); then
    tail -n 30 "$log" >&2
    printf 'error: %s failed; the whole log: %s\n' "$attribute" "$log" >&2
    return 1
  fi
  built=$(grep -c "^building '" "$log") || built=0
  fetched=$(grep -c "^copying path '" "$log") || fetched=0
  what="built $built, fetched $fetched"
  if [ "$built" = 0 ] && [ "$fetched" = 0 ]; then what="nothing to do"; fi
  if has_blob "$attribute"; then size=$(megabytes "$(jq '[.blobs[].size] | add' "$(tail -n 1 <<< "$paths")/blob.json")"); fi
  if [ "$attribute" = comfyui ]; then
    image=$paths
    size=$(megabytes "$(jq '[.layers[].size] | add' "$paths/image.json")")
  fi
  total=$((total + SECONDS - started))
  table+=("$(printf '%-16s %-24s %12s %6d s' "$attribute" "$what" "$size" "$((SECONDS - started))")")
}

has_blob() { [[ " ${with_blob[*]} " == *" $1 "* ]]; }

print_table() {
  printf '\n%-16s %-24s %12s %8s\n' layer 'what happened' 'in the image' time
  [ "${#table[@]}" -eq 0 ] || printf '%s\n' "${table[@]}"
  printf '%-16s %-24s %12s %6d s\n\n' '' '' '' "$total"
}

for layer in "${layers[@]}" comfyui; do
  build_one "$layer" || { print_table >&2; exit 1; }
done
print_table
echo "image  $image"
echo "digest $(jq -r .digest "$image/image.json")"
echo "next   nix run path:./layers#load   (into Docker), or: skopeo copy oci:$image:latest docker://…"
rm -r "$work"
