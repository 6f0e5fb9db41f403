# shellcheck shell=bash disable=SC2154
# What lies at an address of its own (prefetch.sh sources this and sets the variables used here): files and git revisions.

megabytes() { printf '%s.%s MB' "$(($1 / 1000000))" "$(($1 / 100000 % 10))"; }

# watch_download FILE SIZE PART: a line now and then, for whoever reads a log.
watch_download() {
  while sleep 10 > /dev/null 2>&1; do
    [ ! -f "$3" ] || say "$1: $(megabytes "$(stat -c %s "$3")")${2:+ of $(megabytes "$2")}"
  done
}

# download_url URL PART OPTION...: continues the part; a dead connection is given up. A fresh start where the server gives no
# rest of a file (22, 33), going on where it cut one off (18, 28, 56).
download_url() {
  local url=$1 part=$2 status attempt
  shift 2
  for attempt in 1 2 3 4 5; do
    status=0
    curl --fail --location --proto '=https,http' --retry 3 --connect-timeout 30 --speed-limit 1000 --speed-time 60 \
      --show-error "$@" --continue-at - --output "$part" -- "$url" > /dev/null || status=$?
    case $status in
      18 | 28 | 56) say "the connection was lost: going on (attempt $attempt)" ;;
      22 | 33) 
        [ -f "$part" ] || break
        rm -- "$part"
        ;;
      *) break ;;
    esac
  done
  return "$status"
}

# fetch_url URL FILE HASH [SIZE]: goes on where an earlier run was cut off.
fetch_url() {
  local url=$1 file=$2 hash=$3 size=${4:-} part=$downloads/$2.part shown=--progress-bar watcher="" status=0
  say "downloading $file${size:+ ($(megabytes "$size"))} from $url"
  if [ ! -t 2 ]; then
    shown=--silent
    watch_download "$file" "$size" "$part" 9>&- &
    watcher=$!
  fi
  if [ ! -f "$part" ] || [ "$(nix hash file "$part")" != "$hash" ]; then download_url "$url" "$part" "$shown" || status=$?; fi
  if [ -n "$watcher" ]; then
    kill "$watcher"
    wait "$watcher" 2> /dev/null || [ $? -gt 128 ]
  fi
  [ "$status" -eq 0 ] || fail PREFETCH_DOWNLOAD "$file could not be downloaded (curl ended with $status)" "$again" "$url"
  keep "$part" "$file" "$hash"
}

urls() { # LOCK...
  local url file hash size
  wanted_files "$@" | jq -c 'select(.url)' | lacking > "$work/url"
  [ -s "$work/url" ] || return 0
  need curl
  while IFS=$'\t' read -r url file hash size; do fetch_url "$url" "$file" "$hash" "$size"; done < \
    <(jq -r '[.url, .file, .hash, (.size // "" | tostring)] | join("\t")' "$work/url")
}

# add_tree TREE: into the store, under its own name.
add_tree() {
  bytes=$((bytes + $(du -sb -- "$1" | cut -f 1)))
  count=$((count + 1))
  nix-store --add-fixed --recursive sha256 "$1" > /dev/null
}

git_revisions() { # LOCK...
  local name url rev file hash found
  wanted_files "$@" | jq -c 'select(.git)' | with_paths | missing > "$work/git"
  [ -s "$work/git" ] || return 0
  need git
  mkdir -p "$work/trees"
  while IFS=$'\t' read -r name url rev file hash; do
    say "fetching $url at ${rev:0:12}"
    git_tree "$url" "$rev" "$work/trees/$file" "$work/git.log" ||
      fail PREFETCH_DOWNLOAD "git could not fetch ${rev:0:12} of $url: $(tail -n 2 "$work/git.log" | tr '\n' ' ')" \
        "$again; where the site is out of reach, give a checkout: npm run setup -- --flavor $flavor --source $name=FOLDER" "$url"
    rm -rf -- "$work/trees/$file.git"
    found=$(nix hash path "$work/trees/$file")
    [ "$found" = "$hash" ] || fail PREFETCH_HASH "the files of $url at ${rev:0:12} are not the locked ones" "$again" "$found" "$hash"
    add_tree "$work/trees/$file"
  done < <(jq -r '[.name, .git, .rev, .file, .hash] | join("\t")' "$work/git")
}
