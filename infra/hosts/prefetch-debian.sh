# shellcheck shell=bash disable=SC2154
# The Debian part of prefetch.sh, which sources it after debian-apt.sh and sets the variables used here (work, system, relock, flavor, again).

# debian_lock FOLDER: the lock that counts, which is the package set's choice too.
debian_lock() {
  if [ -f "$1/relocked.json" ]; then printf '%s\n' "$1/relocked.json"; else printf '%s\n' "$1/lock.json"; fi
}

relocked_packages() { # FOLDER: what the machine's own lock changed
  [ -f "$1/relocked.json" ] || { echo '[]'; return; }
  jq -cn --slurpfile old "$1/lock.json" --slurpfile new "$1/relocked.json" '
    [$new[0].files[] | select(.index == "debian") | . as $n | $old[0].files[]
      | select(.name == $n.name and .system == $n.system and .version != $n.version)
      | {name, locked: .version, found: $n.version}]'
}

# The committed lock wins as soon as all of its files can be had: images are then those of everyone else.
drop_relocked() { # FOLDER
  [ -f "$1/relocked.json" ] || return 0
  all_files "$1/lock.json" | lacking > "$work/lock-lacking"
  if [ ! -s "$work/lock-lacking" ]; then
    say "all Debian packages of the committed lock are here: $1/relocked.json is removed"
    rm "$1/relocked.json"
  elif [ "$(jq -r .replaces "$1/relocked.json")" != "$(nix hash file "$1/lock.json")" ]; then
    say "the committed lock has changed: $1/relocked.json is removed"
    rm "$1/relocked.json"
  fi
}

debian() { # FOLDER: all packages of the lock, and the seed, into the store
  local lock stale
  [ "$relock" = false ] || drop_relocked "$1"
  lock=$(debian_lock "$1")
  suite=$(jq -r .suite "$lock")
  wanted_files "$lock" | jq -c 'select(.index == "debian")' | lacking > "$work/debs"
  if [ -s "$work/debs" ]; then
    private_apt
    jq -r .name "$work/debs" | offered > "$work/offered"
    stale=$(jq -rn --slurpfile offered "$work/offered" '[inputs | . as $w
      | select(any($offered[]; .name == $w.name and .version == $w.version and .hash == $w.hash) | not)
      | "\(.name) \(.version)"] | join(", ")' "$work/debs")
    if [ -n "$stale" ]; then
      make_relocked "$1" "$stale"
      return
    fi
    download_debs "$work/debs"
  fi
  seed "$lock"
}

private_apt() {
  need python3
  debian_apt "$ROOT/.local/apt" "$suite" "$(jq -rn --arg system "$system" '{"x86_64-linux": "amd64", "aarch64-linux": "arm64"}[$system]')"
}

# offered < names: what the mirror has of them now: {name, version, hash}, the newest first.
offered() {
  xargs apt-cache "${apt_options[@]}" show 2> "$work/apt-cache.err" < /dev/stdin > "$work/apt-cache.out" ||
    say "$(cat "$work/apt-cache.err")"
  python3 -c '
import base64, json, sys
for stanza in sys.stdin.read().split("\n\n"):
    field = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and line[0] != " ")
    if field:
        sri = "sha256-" + base64.b64encode(bytes.fromhex(field["SHA256"])).decode()
        print(json.dumps({"name": field["Package"], "version": field["Version"], "hash": sri}))
' < "$work/apt-cache.out"
}

download_debs() { # ENTRIES: {name, version, file, hash}
  local name file hash packages
  [ -s "$1" ] || return 0
  mapfile -t packages < <(jq -r '"\(.name)=\(.version)"' "$1")
  say "downloading ${#packages[@]} Debian packages"
  mkdir -p "$work/archives"
  (cd "$work/archives" && apt-get "${apt_options[@]}" -qq download "${packages[@]}" >&2) ||
    fail PREFETCH_DOWNLOAD "apt could not download the locked Debian packages" "$again"
  while IFS=$'\t' read -r name file hash; do
    keep "$(echo "$work/archives/$name"_*.deb)" "$file" "$hash"
  done < <(jq -r '[.name, .file, .hash] | join("\t")' "$1")
}

# unpack_seed DEB_PATH FILE: prints the folder. The static busybox that starts everything is not a package but its one program.
unpack_seed() {
  local tree=$work/seed/$2
  need dpkg-deb
  rm -rf "$work/seed"
  mkdir -p "$tree/bin"
  dpkg-deb -x "$1" "$work/seed/unpacked"
  install -m 755 "$work/seed/unpacked/usr/bin/busybox" "$tree/bin/busybox"
  printf '%s\n' "$tree"
}

seed() { # LOCK
  local entry package added
  entry=$(wanted_files "$1" | jq -c 'select(.index == "seed")' | with_paths)
  [ -n "$entry" ] && [ -n "$(missing <<< "$entry")" ] || return 0
  package=$(all_files "$1" | jq -c --arg name "$(jq -r .unpackedFrom <<< "$entry")" 'select(.name == $name)' | with_paths)
  added=$(nix-store --add-fixed --recursive sha256 \
    "$(unpack_seed "$(jq -r .path <<< "$package")" "$(jq -r .file <<< "$entry")")")
  [ "$added" = "$(jq -r .path <<< "$entry")" ] ||
    fail PREFETCH_HASH "the program in $(jq -r .file <<< "$package") is not the locked one" \
      "restore ${1#"$ROOT/"} from git" "$added" "$(jq -r .path <<< "$entry")"
}

# make_relocked FOLDER STALE: what Debian has now instead, in a lock of this machine's own.
make_relocked() {
  local gone entry package tree
  [ "$relock" = true ] || fail PREFETCH_LOCK_STALE "Debian no longer has packages that flavor $flavor locks" \
    "run 'npm run setup' on the machine that runs pulumi: it locks what Debian has now, and the next 'pulumi up' takes that to the build host" "not on the mirror: $2"
  say "Debian $suite no longer has $2"
  all_files "$1/lock.json" | jq -c 'select(.index == "debian")' > "$work/old"
  jq -r .name "$work/old" | offered > "$work/offered"
  gone=$(jq -rn --slurpfile offered "$work/offered" \
    '[inputs | .name as $name | select(any($offered[]; .name == $name) | not) | $name] | join(", ")' "$work/old")
  [ -z "$gone" ] || fail PREFETCH_PACKAGE_GONE "Debian $suite has no package $gone any more" \
    "take a newer version of this project: its lock names what replaced it"
  jq -c --slurpfile offered "$work/offered" '
    def safe: gsub(":"; "_") | gsub("~"; "-");
    . as $old | first($offered[] | select(.name == $old.name)) as $now
    | $old + $now + {file: "\($old.name)_\($now.version | safe)_\($old.file | split("_") | last)"}' "$work/old" > "$work/new"
  lacking < "$work/new" > "$work/new-lacking"
  download_debs "$work/new-lacking"

  entry=$(all_files "$1/lock.json" | jq -c 'select(.index == "seed")')
  package=$(jq -c --arg name "$(jq -r .unpackedFrom <<< "$entry")" 'select(.name == $name)' "$work/new" | with_paths)
  tree=$(unpack_seed "$(jq -r .path <<< "$package")" \
    "$(jq -r '"busybox-seed-\(.version | sub("^[0-9]+:"; "") | gsub("~"; "-"))"' <<< "$package")-$system")
  nix-store --add-fixed --recursive sha256 "$tree" > /dev/null
  jq -n --slurpfile new "$work/new" --argjson seed "$entry" --argjson package "$package" --arg suite "$suite" \
    --arg file "${tree##*/}" --arg hash "$(nix hash path "$tree")" --arg replaces "$(nix hash file "$1/lock.json")" \
    '{suite: $suite, replaces: $replaces, files: ([$seed + {version: $package.version, file: $file, hash: $hash}] + $new)}' \
    > "$1/relocked.json.new"
  mv "$1/relocked.json.new" "$1/relocked.json"
  say "locked what it has now in ${1#"$ROOT/"}/relocked.json: images differ from those of the committed lock"
}
