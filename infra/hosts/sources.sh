# The checked copy of a request's sources: sourced, never run.
# shellcheck shell=bash

# copy_sources FOLDER [LAYER]: copies what the layer and those it is on may read (without LAYER: what the image may read), then
# compares the copy with the request, so that what is built is what the key says, whatever happens to the tree meanwhile.
copy_sources() {
  local copy=$1 layer=${2:-} wanted problem
  rm -rf -- "$copy"*
  mkdir -p -- "$copy"
  reduced_graph "$layer" >"$copy.graph"
  [ "$(word <"$copy.graph")" = "$(asked .graph)" ] || sources_changed "layers.json"
  problem=$({ files_of "$copy.graph" >"$copy.files" && files_of "$copy.graph" "${layer:-none}" >"$copy.own"; } 2>&1) || sources_changed "$problem"
  problem=$(cd -- "$ROOT/layers" && xargs -d '\n' cp --parents --no-dereference -t "$copy" -- <"$copy.files" 2>&1) || sources_changed "$problem"

  # What the request lists file by file, and the rest, for which it has one word.
  digests_of "$copy" | awk -v own="$copy.own" -v listed="$copy.listed" -v rest="$copy.rest" '
    BEGIN { while ((getline file < own) > 0) mine[file]; printf "" > listed; printf "" > rest }
    { print > ($1 in mine ? listed : rest) }'
  wanted=$(jq -r '.inputs // {} | to_entries[] | "\(.key) \(.value)"' <<<"$REQUEST" | LC_ALL=C sort)
  if [ "$wanted" != "$(cat "$copy.listed")" ]; then
    sources_changed "$(comm -3 <(printf '%s\n' "$wanted") "$copy.listed" | awk '{ print $1 }' | sort -u | head -n 5 | paste -sd ' ')"
  fi
  [ "$(word <"$copy.rest")" = "$(asked .below)" ] || sources_changed "a file of the layers below"
  chmod -R u+rwX,go+rX -- "$copy"
  mv -- "$copy.graph" "$copy/layers.json"
}

sources_changed() {
  fail LAYER_SOURCES_CHANGED "sources changed during up: $1" "run 'pulumi up' again, which reads them anew"
}

# word: 12 digits for what is on standard input, as infra/fingerprint.ts shortens digests.
word() {
  sha256sum | cut -c 1-12
}

# absent_layers FLAVOR: the layers that the flavor has not, since the file by which they are optional is not there.
absent_layers() {
  local layer file
  jq -r --arg flavor "$1" '.flavors[$flavor].packageSet as $set | .layers[] | select(.optional)
    | "\(.attr)\t\(.optional | gsub("\\{flavor\\}"; $flavor) | gsub("\\{packageSet\\}"; $set))"' "$ROOT/layers/layers.json" |
    while IFS=$'\t' read -r layer file; do
      if [ ! -e "$ROOT/layers/$file" ] && [ ! -L "$ROOT/layers/$file" ]; then printf '%s\n' "$layer"; fi
    done
}

# reduced_graph LAYER: layers.json with the layer and those it is on; without a layer, those with a blob. Canonical JSON.
reduced_graph() {
  local flavor absent
  flavor=$(asked .flavor)
  absent=$(absent_layers "$flavor") || sources_changed "layers.json"
  jq -cSj --arg layer "$1" --arg flavor "$flavor" --arg absent "$absent" '.layers |= map(select(.attr | IN($absent | split("\n")[]) | not)) | . as $graph
    | def grow: . as $names | ([$names[], ($graph.layers[] | select(.attr | IN($names[])) | .on[])] | unique) | if . == $names then . else grow end;
    ([.layers[] | select(if $layer == "" then .blob else .attr == $layer end).attr] | grow) as $names
    | {flavors: {($flavor): .flavors[$flavor]}, shared, layers: [.layers[] | select(.attr | IN($names[]))
      | .after = [] | .smoke |= if type == "array" then . else .[$flavor] end]}' "$ROOT/layers/layers.json" ||
    sources_changed "layers.json"
}

# files_of GRAPH [LAYER]: the files that the graph's layers read, or one of them, sorted.
files_of() {
  local paths
  mapfile -t paths < <(jq -r --arg layer "${2:-}" '(.flavors | to_entries[0]) as {$key, $value}
    | ([.layers[] | select($layer == "" or .attr == $layer)] | if . == [] then [] else [.[].inputs[]] + $graph[0].shared end)[]
    | gsub("\\{flavor\\}"; $key) | gsub("\\{packageSet\\}"; $value.packageSet) | rtrimstr("/")' --slurpfile graph "$1" "$1")
  [ "${#paths[@]}" -gt 0 ] || return 0
  (cd -- "$ROOT/layers" && find "${paths[@]}" \( -type f -o -type l \) -print) | LC_ALL=C sort -u
}

# digests_of FOLDER: a line `path digest` for each file, in the form of infra/input-files.ts, shortened to 12 digits.
digests_of() {
  local file sum
  declare -A runnable=()
  while IFS= read -r file; do runnable[${file#./}]=+x; done < <(cd -- "$1" && find . -type f -perm -u+x)
  {
    (cd -- "$1" && find . -type f -print0 | xargs -0 -r sha256sum --) | while read -r sum file; do
      file=${file#./}
      printf '%s %s%s\n' "$file" "${sum:0:12}" "${runnable[$file]:-}"
    done
    # A link that was put in a file's place gets a digest that no file has.
    (cd -- "$1" && find . ! -type f ! -type d -printf '%P link\n')
  } | LC_ALL=C sort
}
