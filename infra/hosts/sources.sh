# The checked copy of a request's sources: sourced, never run.
# shellcheck shell=bash

# copy_sources FOLDER [LAYER]: copies what the layer and those it is on may read (without LAYER: what the image may read), then
# compares the copy with the request, so that what is built is what the key says, whatever happens to the tree meanwhile.
# HAS_BLOB: whether the layer is one.
copy_sources() {
  local copy=$1 layer=${2:-} graph wanted problem
  rm -rf -- "$copy"*
  mkdir -p -- "$copy"
  (cd -- "$ROOT/layers" && find . \( -type f -o -type l \) -printf '%P\n') | LC_ALL=C sort >"$copy.there"
  select_sources "$layer" "$copy.there" >"$copy.selected" || sources_changed "layers.json"
  # shellcheck disable=SC2034  # read by the scripts that source this file
  { read -r graph && read -r HAS_BLOB && cat >"$copy.files"; } <"$copy.selected"
  [ "$(printf %s "$graph" | word)" = "$(asked .graph)" ] || sources_changed "layers.json"
  problem=$(cut -f 2- "$copy.files" | (cd -- "$ROOT/layers" && xargs -d '\n' cp --parents --no-dereference -t "$copy" --) 2>&1) || sources_changed "$problem"

  # What the request lists file by file, and the rest, for which it has one word.
  digests_of "$copy" | awk -v files="$copy.files" -v listed="$copy.listed" -v rest="$copy.rest" '
    BEGIN { while ((getline < files) > 0) if (sub(/^own\t/, "")) own[$0]; printf "" > listed; printf "" > rest }
    { print > ($1 in own ? listed : rest) }'
  wanted=$(asked_below .inputs | LC_ALL=C sort)
  if [ "$wanted" != "$(cat "$copy.listed")" ]; then
    sources_changed "$(comm -3 <(printf '%s\n' "$wanted") "$copy.listed" | awk '{ print $1 }' | sort -u | head -n 5 | paste -sd ' ')"
  fi
  [ "$(word <"$copy.rest")" = "$(asked .below)" ] || sources_changed "a file of the layers below"
  chmod -R u+rwX,go+rX -- "$copy"
  printf %s "$graph" >"$copy/layers.json"
}

sources_changed() {
  fail LAYER_SOURCES_CHANGED "sources changed during up: $1" "run 'pulumi up' again, which reads them anew"
}

# word: 12 digits for what is on standard input, as infra/fingerprint.ts shortens digests.
word() {
  sha256sum | cut -c 1-12
}

# select_sources LAYER THERE: a line with layers.json of the layer and those it is on, as canonical JSON (without a layer: those with
# a blob); whether the layer has a blob; and of the files in the list THERE those that these layers read: `own`, a tab and the path of
# the layer's, `below` of the others. A layer is optional by a file that is there or not.
select_sources() {
  jq -cSr --arg layer "$1" --arg flavor "$(asked .flavor)" --rawfile there "$2" '
    ($there | rtrimstr("\n") | split("\n")) as $there
    | .flavors[$flavor].packageSet as $packageSet
    | def filled: gsub("\\{flavor\\}"; $flavor) | gsub("\\{packageSet\\}"; $packageSet) | rtrimstr("/");
    def grow($layers): . as $names | ([$names[], ($layers[] | select(.attr | IN($names[])) | .on[])] | unique) | if . == $names then . else grow($layers) end;
    def reads($shared): [.[].inputs[], $shared[] | filled + "/"];
    def within($paths): . + "/" | any(startswith($paths[]); .);
    .shared as $shared
    | [.layers[] | select(.optional == null or (.optional | filled | IN($there[])))] as $layers
    | [$layers[] | select(if $layer == "" then .blob else .attr == $layer end)] as $wanted
    | ([$wanted[].attr] | grow($layers)) as $names
    | [$layers[] | select(.attr | IN($names[]))] as $layers
    | {flavors: {($flavor): .flavors[$flavor]}, $shared, layers: [$layers[] | .after = [] | .smoke |= if type == "array" then . else .[$flavor] end]},
      any($wanted[]; .blob),
      (if $layer == "" then [] else $wanted | reads($shared) end) as $own
      | ($layers | reads($shared)) as $all
      | $there[] | if within($own) then "own\t\(.)" elif within($all) then "below\t\(.)" else empty end' "$ROOT/layers/layers.json"
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
