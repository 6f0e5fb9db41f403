#!/usr/bin/env bash
# pin-git.sh: one commit of a git repository into the Nix store, with the hash of its files; set-up does the same on any
# machine, from the lock that the hash goes into.
# stdin   {"protocol": 2, "git": "https://…", "rev": "40 digits", "file": "name of the store path"}
# stdout  {"hash": "sha256-…", "path": "/nix/store/…"}; where git fails, its words on stderr
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/git-tree.sh"

need jq git tar nix nix-store
read_request .git .rev .file
need_nix
export NIX_CONFIG="${NIX_CONFIG:-}"$'\n'"extra-experimental-features = nix-command"
url=$(asked .git)
rev=$(asked .rev)
file=$(asked .file)
[[ $rev =~ ^[0-9a-f]{40}$ && $file =~ ^[A-Za-z0-9][A-Za-z0-9._+-]*$ ]] ||
  fail REQUEST_INVALID "the request names no commit and file" "run this script through npm run lock" "$rev $file"

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
if ! git_tree "$url" "$rev" "$work/$file" "$work/git.log"; then
  tail -n 3 "$work/git.log" >&2
  exit 1
fi
hash=$(nix hash path "$work/$file")
path=$(nix-store --add-fixed --recursive sha256 "$work/$file")
jq -cn --arg hash "$hash" --arg path "$path" '{$hash, $path}'
