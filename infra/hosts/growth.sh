# How much the image has grown since it was last published. Sourced, never run.
# shellcheck shell=bash
#
# What may be comes as a note of the run, infra/growth-note.ts: in the request it would be part of the publish's key. What was
# published is kept beside the records of builds, by what images are compared at all.

# Less than this is no growth, however small a layer was.
readonly GROWTH_FLOOR=1000000

# published_sizes: the file that has the sizes of the last image of this registry, flavor, compression and system.
published_sizes() {
  printf '%s/published/%s.json' "$STATE" "$(jq -cS '[(.registry | del(.limits, .liveTag)), .flavor, .compression, (.system // (.images | keys))]' <<<"$REQUEST" | word)"
}

# layer_sizes IMAGE...: bytes of each layer in these images, as JSON by layer.
layer_sizes() {
  jq -cs '[.[].layers[]] | group_by(.attr) | map({(.[0].attr): (map(.size) | add)}) | add // {}' "${@/%//image.json}"
}

# guard_growth TAG IMAGE...: ends the script where the images are too large beside the last published ones, and nobody said yes.
guard_growth() {
  local tag=$1 note=$STATE/notes/growth-$1.json known over
  shift
  [ -e "$note" ] || return 0
  known=$(published_sizes)
  if [ ! -e "$known" ] || [ "$(jq .accepted "$note")" = true ]; then return; fi
  over=$(jq -r --slurpfile old "$known" --slurpfile note "$note" --argjson floor "$GROWTH_FLOOR" '
    def size: if . >= 1e9 then "\(. / 1e8 | round / 10) GB" else "\(. / 1e5 | round / 10) MB" end;
    def tell: "\(.what) \(.old | size) -> \(.new | size)" + if .old > 0 then " (+\((.new / .old - 1) * 100 | round) %)" else " (new)" end;
    . as $new | $old[0].layers as $old | $note[0].percent as $percent
    | def over: .new - .old > $floor and .old > 0 and .new > .old * (1 + $percent / 100);
    [$new | keys[] | {what: ., old: ($old[.] // 0), new: $new[.]}] as $layers
    | {what: "the image", old: ([$old[]] | add // 0), new: ([$new[]] | add // 0)} as $image
    | (if ($image | over) then [$layers[] | select(.new - .old > $floor)] else [$layers[] | select(over)] end) as $grown
    | if ($image | over) or ($grown | length > 0) then [($image, ($grown | sort_by(.old - .new)[])) | tell] | join("; ") else empty end' <<<"$(layer_sizes "$@")")
  [ -z "$over" ] || fail PUBLISH_GROWTH "the image $tag has grown by more than comfyui:growth.percent allows; nothing was sent" \
    "look at what these layers took in; if it is meant, say yes for this run: COMFYUI_ACCEPT_GROWTH=1 pulumi up; or for this image: pulumi config set --path comfyui:growth.accept $tag" \
    "$over" "at most $(jq .percent "$note") % more than image $(jq -r .tag "$known")"
}

# keep_sizes TAG IMAGE...: these are the last published ones now.
keep_sizes() {
  local tag=$1 known
  shift
  known=$(published_sizes)
  mkdir -p -- "$STATE/published"
  printf '{"tag":"%s","layers":%s}\n' "$tag" "$(layer_sizes "$@")" >"$known.new"
  mv -- "$known.new" "$known"
  rm -f -- "$STATE/notes/growth-$tag.json"
}
