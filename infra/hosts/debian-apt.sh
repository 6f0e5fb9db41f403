# shellcheck shell=bash
# apt for another Debian release than this machine's: sourced by prefetch.sh, and by set-up's debian-nix.sh.

debian_mirror() {
  if [ -n "${COMFYUI_DEBIAN_MIRROR:-}" ]; then
    printf '%s\n' "$COMFYUI_DEBIAN_MIRROR"
    return
  fi
  # shellcheck disable=SC2016  # apt's own variable
  apt-get indextargets --format '$(REPO_URI)' | awk '/\/debian\/*$/ && !found {print; found = 1}'
}

# debian_keyring: the file with Debian's signing keys; nothing where there is none.
debian_keyring() {
  local candidate
  for candidate in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    if [ -f "$candidate" ]; then
      printf '%s\n' "$candidate"
      return
    fi
  done
}

# debian_apt FOLDER SUITE ARCHITECTURE: sets apt_options to those of an apt of its own, whose state is in FOLDER, with the release's
# package lists: with the machine's proxy and credentials, but no change to the machine's lists, cache or packages.
# Signatures are checked as ever. Only the index's age is not: a mirror that stands still is fine where hashes are locked.
debian_apt() {
  local folder=$1 suite=$2 architecture=$3 keyring mirror
  need apt-get apt-cache dpkg-deb
  keyring=$(debian_keyring)
  [ -n "$keyring" ] || fail PREFETCH_KEYRING_MISSING "Debian's signing keys are not on this machine" \
    "install the package debian-archive-keyring, then run 'npm run setup' again"
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || fail PREFETCH_MIRROR_MISSING "this machine's apt names no Debian mirror" \
    "set COMFYUI_DEBIAN_MIRROR to a Debian mirror (the address of the folder that holds dists/), then run 'npm run setup' again"
  mkdir -p "$folder"/{lists,cache/archives}/partial
  : > "$folder/status"
  printf 'deb [arch=%s signed-by=%s] %s %s main\n' "$architecture" "$keyring" "$mirror" "$suite" > "$folder/sources.list"
  apt_options=(
    -o "Dir::Etc::SourceList=$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
    -o "Dir::State=$folder" -o "Dir::State::Lists=$folder/lists" -o "Dir::State::status=$folder/status"
    -o "Dir::Cache=$folder/cache" -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture"
    -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false -o Acquire::Retries=3
  )
  say "reading the package lists of Debian $suite"
  # By default apt calls a mirror that does not answer a warning; the packages would then seem to be gone from Debian.
  apt-get "${apt_options[@]}" -o APT::Update::Error-Mode=any -q update >&2 ||
    fail PREFETCH_MIRROR "the package lists of Debian $suite could not be read" "run 'npm run setup' again; if it stays so, look at the lines above" "$mirror"
}
