# The checked copy of a request's sources: sourced, never run.
# shellcheck shell=bash

# copy_sources FOLDER: copies the files that the request names, then compares the copy with the request's digests, so that
# what is built is what the key says, whatever happens to the tree meanwhile. Writes the request's graph as layers.json.
copy_sources() {
  local copy=$1 listed
  rm -rf -- "$copy"
  mkdir -p -- "$copy"
  listed=$(jq -r '(.inputs // {}) + (.below // {}) | keys[]' <<<"$REQUEST")
  (cd -- "$ROOT/layers" && xargs -d '\n' cp --parents --no-dereference -t "$copy" --) <<<"$listed" 2>"$copy.missing" ||
    fail LAYER_SOURCES_CHANGED "sources changed during up: $(head -n 1 "$copy.missing")" "run 'pulumi up' again"
  rm -f -- "$copy.missing"
  local wanted found
  wanted=$(jq -r '(.inputs // {}) + (.below // {}) | to_entries[] | "\(.key) \(.value)"' <<<"$REQUEST" | LC_ALL=C sort)
  found=$(digests_of "$copy")
  if [ "$wanted" != "$found" ]; then
    fail LAYER_SOURCES_CHANGED "sources changed during up: $(changed_names "$wanted" "$found")" \
      "run 'pulumi up' again, which reads them anew"
  fi
  chmod -R u+rwX,go+rX -- "$copy"
  jq '.graph' <<<"$REQUEST" >"$copy/layers.json"
}

# digests_of FOLDER: a line `path digest` for each file, in the form of infra/input-files.ts, shortened to 12 digits.
digests_of() {
  local file sum
  declare -A runnable=()
  while IFS= read -r file; do runnable[${file#./}]=+x; done < <(cd -- "$1" && find . -type f -perm -u+x)
  # A link that was put in a file's place is listed with a digest that no file has.
  {
    (cd -- "$1" && find . -type f -print0 | xargs -0 -r sha256sum --) | while read -r sum file; do
      file=${file#./}
      printf '%s %s%s\n' "$file" "${sum:0:12}" "${runnable[$file]:-}"
    done
    (cd -- "$1" && find . ! -type f ! -type d -printf '%P link\n')
  } | LC_ALL=C sort
}

changed_names() {
  comm -3 <(printf '%s\n' "$1" | LC_ALL=C sort) <(printf '%s\n' "$2" | LC_ALL=C sort) | awk '{print $1}' | sort -u | head -n 5 | paste -sd ' '
}
