# shellcheck shell=bash disable=SC2154
# Files that nobody serves (prefetch.sh sources this and sets the variables used here): the user names them, their hash says
# which is which, under whatever name they lie.

# hash_of_given PATH: nothing where it cannot be read.
hash_of_given() {
  [ ! -f "$1" ] || [ ! -r "$1" ] || nix hash file "$1"
}

given_found() { # lines `PATH HASH` of what was given
  if [ -s "$work/given-paths" ]; then paste -sd ',' "$work/given-paths" | sed 's/,/, /g'; else echo "no --file"; fi
}

# All faults before anything is added: files that the locks do not name, and files that they name and nobody gave.
given() { # LOCK...
  local path hash file strangers absent
  wanted_files "$@" | jq -c 'select(.given)' > "$work/given-all"
  for path in "${given_paths[@]}"; do
    hash=$(hash_of_given "$path")
    printf '%s %s\n' "$path" "${hash:-cannot be read}"
  done > "$work/given-paths"
  strangers=$(jq -rn --rawfile paths "$work/given-paths" '[inputs.hash] as $wanted | [$paths | split("\n")[] | select(. != "")
    | select((split(" ") | last) | IN($wanted[]) | not)] | join(", ")' "$work/given-all")
  [ -z "$strangers" ] || fail PREFETCH_GIVEN_UNKNOWN "a file was given that the locks of flavor $flavor do not name" \
    "leave it out, or give the file with the locked hash" "$strangers" \
    "$(jq -rn '[inputs | "\(.file) \(.hash)"] | if . == [] then "no file to give" else join(", ") end' "$work/given-all")"
  lacking < "$work/given-all" > "$work/given"
  absent=$(jq -rn --rawfile paths "$work/given-paths" '[$paths | split("\n")[] | select(. != "") | split(" ") | last] as $have
    | [inputs | select(.hash | IN($have[]) | not) | "\(.file) \(.hash)"] | join(", ")' "$work/given")
  [ -z "$absent" ] || fail PREFETCH_GIVEN_MISSING "flavor $flavor is made of files that nobody serves, to be given by hand" \
    "npm run setup -- --flavor $flavor --file PATH, once for each file, whatever its name" "$(given_found)" "$absent"
  while IFS=$'\t' read -r file hash; do
    path=$(awk -v hash="$hash" '$NF == hash { sub(/ [^ ]*$/, ""); print; exit }' "$work/given-paths")
    cp -- "$path" "$downloads/$file.new"
    keep "$downloads/$file.new" "$file" "$hash"
  done < <(jq -r '[.file, .hash] | join("\t")' "$work/given")
}
