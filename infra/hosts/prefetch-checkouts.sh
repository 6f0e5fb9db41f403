# shellcheck shell=bash disable=SC2154
# Checkouts by hand, where the site of a git source is out of reach (prefetch.sh sources this and sets the variables used here).
# The locked tree is taken and no other, so that a build is what its lock says.

# head_tree FOLDER TREE yes|no: the files of a git checkout's HEAD, made as those of a fetched commit are, from a repository of our
# own: the checkout's settings (filters, hooks) do nothing. What is not committed does not count.
head_tree() {
  local commit
  commit=$(git_quietly -C "$1" rev-parse --verify 'HEAD^{commit}') || return 1
  mkdir -- "$2" || return 1
  fetch_commit "$1" "$commit" "$2.git" && tree_of "$commit" "$2.git" "$2" "$3" || return 1
  printf '%s\n' "$commit" > "$2.head"
  [ -z "$(git_quietly -C "$1" status --porcelain --untracked-files=no)" ] || say "$1 has changes that are not committed: they are left out"
}

# checkout_tree FOLDER TREE yes|no: the files that count: of a folder without .git all of them, where they are.
checkout_tree() {
  [ -d "$1" ] || { echo "no folder" >&2 && return 1; }
  if [ -e "$1/.git" ]; then head_tree "$@"; else ln -s -- "$1" "$2"; fi
}

# checked_checkout NAME FOLDER: what counts of it as $work/checkouts/NAME, if that is the locked tree; else says what is wrong. Ends
# the subshell that it runs in.
checked_checkout() {
  local entry tree=$work/checkouts/$1 url rev hash archive found what fix
  entry=$(jq -c --arg name "$1" 'select(.name == $name)' "$work/git-all")
  [ -n "$entry" ] || fail PREFETCH_SOURCE_UNKNOWN "a checkout was given of $1, which flavor $flavor does not have from git" \
    "leave it out, or give it the name of a git source" "$1=$2" "$(jq -rs 'map(.name) | join(", ") | if . == "" then "no checkout: nothing here is from git" else . end' "$work/git-all")"
  [ ! -e "$2/.git" ] || need git tar
  read -r url rev hash archive < <(jq -r '[.git, .rev, .hash, (if .git | startswith("https://github.com/") then "yes" else "no" end)] | join(" ")' <<< "$entry")
  if ! { checkout_tree "$2" "$tree" "$archive" && found=$(nix hash path "$(readlink -f -- "$tree")"); } 2> "$tree.log"; then
    fail PREFETCH_SOURCE_UNREADABLE "the checkout of $1 cannot be read" \
      "give a folder of plain files, or a git checkout that git can read as $(id -un)" "$2: $(tail -n 3 "$tree.log" | tr '\n' ' ')"
  fi
  cat "$tree.log" >&2
  [ "$found" != "$hash" ] || exit 0
  if [ -f "$tree.head" ]; then
    what="commit $(cut -c 1-12 "$tree.head"), HEAD of $2" fix="git -C $2 checkout $rev"
  else
    what="all files of $2" fix="give the files of commit $rev, all and no others"
  fi
  fail PREFETCH_SOURCE_OTHER "another tree was given as $1 than flavor $flavor locks" \
    "$fix; or lock the tree that you have: under files in layers/flavors/$flavor/requirements.json its rev, version, file and hash, under layers what it requires, then npm run lock -- --flavor $flavor" \
    "$found ($what)" "$hash ($url at ${rev:0:12})"
}

# checkouts LOCK...: all of them are looked at before one is added.
checkouts() {
  local at file wrong=0
  [ "${#sources[@]}" -gt 0 ] || return 0
  all_files "$@" | jq -c 'select(.git)' > "$work/git-all"
  mkdir -p -- "$work/checkouts" "$work/trees"
  for at in "${sources[@]}"; do (checked_checkout "${at%%=*}" "${at#*=}") || wrong=1; done
  [ "$wrong" -eq 0 ] || exit 1
  with_paths < "$work/git-all" | missing > "$work/git-given"
  for at in "${sources[@]}"; do
    file=$(jq -r --arg name "${at%%=*}" 'select(.name == $name) | .file' "$work/git-given")
    [ -n "$file" ] || continue
    cp -a -- "$(readlink -f -- "$work/checkouts/${at%%=*}")" "$work/trees/$file"
    add_tree "$work/trees/$file"
  done
}
