#!/usr/bin/env bash
# git-checkout.sh: the files of one commit, as set-up puts them into the store, for whoever wants to lock it.
# stdin   {"protocol": 3, "git": "https://…", "rev": "40 digits", "folder": "/absolute/path, made by this script"}
# stdout  {"committed": seconds since 1970}; where git fails, its words on stderr
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
. "$HOSTS/git-tree.sh"

need jq git tar
read_request .git .rev .folder
url=$(asked .git)
rev=$(asked .rev)
folder=$(asked .folder)
[[ $rev =~ ^[0-9a-f]{40}$ && $folder = /* ]] ||
  fail REQUEST_INVALID "the request names no commit and folder" "run this script through npm run lock" "$rev $folder"

log=$(mktemp)
trap 'rm -rf -- "$log" "$folder.git"' EXIT
if ! git_tree "$url" "$rev" "$folder" "$log"; then
  tail -n 3 "$log" >&2
  exit 1
fi
jq -cn --argjson committed "$(git_quietly -C "$folder.git" show --no-patch --format=%ct "$rev")" '{$committed}'
