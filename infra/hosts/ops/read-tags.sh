#!/usr/bin/env bash
# read-tags.sh: the tags of a repository, and whose images some of them are.
# stdin {registry, tags: [TAG...], history: TAG}; stdout {repository, tags, digests: {TAG: digest or null}}: digests of the tags asked
# for, and of the moves in the history of the last one (TAG-NUMBER...), from the newest to the one that it stands on.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/ops/tags.sh"

need jq skopeo sha256sum
read_request .registry.kind .tags .history
open_work
moving=$(asked .history)
open_registry "$moving"
all=$(all_tags)
stands=$(digest_of "$moving")
{
  printf '%s %s\n' "$moving" "$stands"
  while IFS= read -r tag; do
    digest=$(digest_of "$tag")
    printf '%s %s\n' "$tag" "$digest"
  done < <(jq -r '.tags[]' <<<"$REQUEST")
  # Without a tag there is no place in the history to be found.
  while [ -n "$stands" ] && IFS= read -r tag; do
    digest=$(digest_of "$tag")
    printf '%s %s\n' "$tag" "$digest"
    [ "$digest" != "$stands" ] || break
  done < <(grep -E "^${moving//./\\.}-[0-9]{4,}-" <<<"$all" | sort --version-sort --reverse)
} >"$WORK/digests"
jq -cnR --arg repository "${REFERENCE%:*}" --arg all "$all" '
  {repository: $repository, tags: ($all | split("\n") | map(select(. != "")) | unique),
   digests: (reduce inputs as $line ({}; ($line | split(" ")) as [$tag, $digest] | .[$tag] = (if $digest == "" then null else $digest end)))}' "$WORK/digests"
