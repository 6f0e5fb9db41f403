#!/usr/bin/env bash
# Puts every file that a flavor's locks name into the Nix store, by hash, so that no build needs the network. Where Nix has
# the flavor's package set fetch them itself (nixpkgs), only what is given by hand.
#
# stdin   {"protocol": 3, "flavor": "sample", "relock": true, "given": ["/absolute/path", ...], "sources": ["NAME=/folder", ...],
#         "only": ["file", ...]}
#         given: files that nobody serves; sources: checkouts of git sources; default: none of either
#         only: default all files; the locks' names for those that are wanted now
# stdout  {"present": n, "downloaded": n, "bytes": n, "relocked": [{"name", "locked", "found"}]}
#
# PyPI keeps what it once had; Debian drops superseded versions. With relock, all of the flavor's Debian packages are then
# resolved anew, and layers/package-sets/debian/debs/relocked.json (ignored by git, preferred by the package set) says to what.
# Without it, no file of the project is changed: a layer that is being built calls this so.
# Environment: COMFYUI_STATE, COMFYUI_DOWNLOADS (folders), COMFYUI_DEBIAN_MIRROR (where this machine's apt is not Debian's).
set -euo pipefail

. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
. "$HOSTS/debian-apt.sh"
. "$HOSTS/prefetch-debian.sh"
. "$HOSTS/prefetch-given.sh"
. "$HOSTS/git-tree.sh"
. "$HOSTS/prefetch-sources.sh"
. "$HOSTS/prefetch-checkouts.sh"
downloads=${COMFYUI_DOWNLOADS:-$ROOT/.local/downloads}
again="run 'npm run setup' again; if it stays so, look at the lines above"
count=0 bytes=0
export LC_ALL=C

# all_files LOCK...: the entries that this system uses, one JSON object a line, each file once.
all_files() {
  jq -cn --arg system "$system" \
    '[inputs | .files[]? | select((.system // $system) == $system)] | unique_by([.file, .hash])[]' "$@"
}

# wanted_files LOCK...: those of the files that this run is to fetch, with what it takes to make them: the seed comes out of a
# package, and pip reads a source distribution with two tools.
wanted_files() {
  all_files "$@" | jq -cn --argjson only "$only" '[inputs] as $all
    | if $only == null then $all
      else [$all[] | select(.file | IN($only[]))] as $named
        | ([$named[] | .unpackedFrom // empty] + if any($named[]; .index == "pypi" and (.file | endswith(".whl") | not)) then ["setuptools", "wheel"] else [] end) as $tools
        | $named + [$all[] | select(.name | IN($tools[]))] | unique
      end | .[]'
}

# with_paths < entries: the same with `path`, which Nix computes without writing anything.
with_paths() {
  jq -cs . > "$work/entries.json"
  nix eval --read-only --impure --json --expr "
    map (entry: entry // {
      path = (derivation {
        name = entry.file; system = \"any\"; builder = \"none\";
        outputHash = entry.hash; outputHashAlgo = \"sha256\";
        outputHashMode = if entry.index or \"\" == \"seed\" || entry ? git then \"recursive\" else \"flat\";
      }).outPath;
    }) (builtins.fromJSON (builtins.readFile \"$work/entries.json\"))" > "$work/entries-with-paths.json" ||
    fail PREFETCH_LOCK_INVALID "the locks of flavor $flavor are damaged" "restore layers/locks/$flavor from git"
  jq -c '.[]' "$work/entries-with-paths.json"
}

# missing < entries with paths: those that the store lacks.
missing() {
  cat > "$work/candidates"
  jq -r .path "$work/candidates" | xargs -r nix-store --check-validity --print-invalid > "$work/invalid"
  jq -c --rawfile invalid "$work/invalid" 'select(.path | IN($invalid | split("\n")[]))' "$work/candidates"
}

# lacking < entries: those neither in the store nor among the downloads; whole downloads are added to the store.
lacking() {
  local file hash entry
  with_paths | missing > "$work/missing"
  while IFS=$'\t' read -r file hash entry; do
    if [ -f "$downloads/$file" ] && [ "$(nix hash file "$downloads/$file")" = "$hash" ]; then
      nix-store --add-fixed sha256 "$downloads/$file" > /dev/null
    else
      printf '%s\n' "$entry"
    fi
  done < <(jq -r 'select(.index != "seed" and (has("git") | not)) | [.file, .hash, tojson] | join("\t")' "$work/missing")
}

# keep DOWNLOAD FILE HASH: a fresh download into the store and the download folder, if its bytes are the locked ones.
keep() {
  local found
  found=$(nix hash file "$1")
  if [ "$found" != "$3" ]; then
    rm -f -- "$1"
    fail PREFETCH_HASH "$2 has other bytes than its lock says" "$again" "$found" "$3"
  fi
  bytes=$((bytes + $(stat -c %s "$1")))
  count=$((count + 1))
  mv "$1" "$downloads/$2"
  nix-store --add-fixed sha256 "$downloads/$2" > /dev/null
}

# ---- PyPI, through pip with this machine's settings --------------------------------------------------------------------

pip_program() {
  if command -v python3 > /dev/null && python3 -m pip --version > /dev/null 2>&1; then
    pip=(python3 -m pip)
  else
    need pip
    pip=(pip)
  fi
}

# requirements < entries: pip's form, which has hashes in hexadecimal.
requirements() {
  jq -r '"\(.name)==\(.version) \(.hash)"' | while read -r requirement hash; do
    printf '%s --hash=sha256:%s\n' "$requirement" "$(base64 -d <<< "${hash#sha256-}" | od -An -v -tx1 | tr -d ' \n')"
  done
}

# wheel_tags < entries: pip's options for exactly the tags in the wheels' names, whatever Python runs pip.
wheel_tags() {
  jq -rs '
    map(.file | rtrimstr(".whl") | split("-") | {abi: .[-2], platforms: (.[-1] | split("."))})
    | ["--implementation", "cp", "--platform", "any", "--abi", "none"]
      + (map(select(.abi | test("^cp3[0-9]+$")) | .abi | "3." + .[3:]) | unique | if . == [] then [] else ["--python-version", .[-1]] end)
      + (map(.abi) | unique | map("--abi", .))
      + (map(.platforms[]) | unique | map("--platform", .)) | .[]'
}

pip_download() { # FOLDER OPTION...
  local folder=$1
  shift
  "${pip[@]}" download --quiet --no-deps --require-hashes --disable-pip-version-check --progress-bar off \
    --dest "$folder" "$@" >&2 ||
    fail PREFETCH_DOWNLOAD "pip could not download the locked Python packages" "$again"
}

pypi() { # LOCK...
  local file hash options
  wanted_files "$@" | jq -c 'select(.index == "pypi")' | lacking > "$work/pypi"
  [ -s "$work/pypi" ] || return 0
  pip_program
  mkdir -p "$work/wheels" "$work/sources"
  jq -c 'select(.file | endswith(".whl"))' "$work/pypi" > "$work/pypi-wheels"
  jq -c 'select(.file | endswith(".whl") | not)' "$work/pypi" > "$work/pypi-sources"
  if [ -s "$work/pypi-wheels" ]; then
    say "downloading $(wc -l < "$work/pypi-wheels") wheels"
    requirements < "$work/pypi-wheels" > "$work/wheels.txt"
    mapfile -t options < <(wheel_tags < "$work/pypi-wheels")
    pip_download "$work/wheels" --only-binary :all: "${options[@]}" -r "$work/wheels.txt"
  fi
  while IFS=$'\t' read -r file hash; do keep "$work/wheels/$file" "$file" "$hash"; done < \
    <(jq -r '[.file, .hash] | join("\t")' "$work/pypi-wheels")
  if [ -s "$work/pypi-sources" ]; then source_distributions "$@"; fi
}

# pip reads a source distribution's metadata with setuptools: with the locked one, which is there by now.
source_distributions() { # LOCK...
  local file hash tool
  mkdir -p "$work/tools"
  while read -r tool; do python3 -m zipfile -e "$tool" "$work/tools"; done < \
    <(all_files "$@" | jq -c 'select(.name == "setuptools" or .name == "wheel")' | with_paths | jq -r .path)
  say "downloading $(wc -l < "$work/pypi-sources") source distributions"
  requirements < "$work/pypi-sources" > "$work/sources.txt"
  PYTHONPATH=$work/tools pip_download "$work/sources" --no-build-isolation --no-binary :all: -r "$work/sources.txt"
  while IFS=$'\t' read -r file hash; do keep "$work/sources/$file" "$file" "$hash"; done < \
    <(jq -r '[.file, .hash] | join("\t")' "$work/pypi-sources")
}

# ---- all of it ----------------------------------------------------------------------------------------------------------

read_flavor() {
  read_request .flavor .relock
  flavor=$(asked .flavor)
  relock=$(asked .relock)
  locks=$ROOT/layers/locks/$flavor
  package_set=$(jq -r --arg flavor "$flavor" '.flavors[$flavor].packageSet // ""' "$ROOT/layers/layers.json")
  # Only a name: it becomes part of paths.
  if [[ ! $flavor =~ ^[a-z0-9-]+$ ]] || [ ! -d "$locks" ] || [ -z "$package_set" ]; then
    fail PREFETCH_FLAVOR "there are no locks of a flavor $flavor" "choose one of layers/layers.json's flavors" \
      "$flavor" "$(cd "$ROOT/layers/locks" && echo *)"
  fi
  package_set=$ROOT/layers/package-sets/$package_set
  system=$(uname -m)-linux
  only=$(jq -c '.only' <<<"$REQUEST")
  mapfile -t given_paths < <(jq -r '.given // [] | .[]' <<<"$REQUEST")
  mapfile -t sources < <(jq -r '.sources // [] | .[]' <<<"$REQUEST")
}

# The roots keep a garbage collection from what only a download could bring back.
pin() { # LOCK...
  local roots=$STATE/roots/prefetch/$flavor entry
  wanted_files "$@" | with_paths > "$work/all"
  entry=$(missing < "$work/all" | jq -r .file | head -n 3)
  [ -z "$entry" ] || fail PREFETCH_STORE "the store lacks files that were just added" "$again" "missing: ${entry//$'\n'/, }"
  all_files "$@" | with_paths > "$work/every"
  missing < "$work/every" | jq -r .path > "$work/absent"
  rm -rf "$roots"
  mkdir -p "$roots"
  jq -r .path "$work/every" | { grep -v -x -F -f "$work/absent" || [ $? -eq 1 ]; } | xargs -r nix-store --add-root "$roots/file" --realise > /dev/null
}

# given_by_hand LOCK...: as a lock of its own, what this run or an earlier one was given. Checkouts need not be.
given_by_hand() {
  all_files "$@" | jq -c 'select(.git)' | with_paths > "$work/git-every"
  missing < "$work/git-every" > "$work/git-absent"
  all_files "$@" | jq -cn --slurpfile every "$work/git-every" --slurpfile absent "$work/git-absent" \
    '{files: ([inputs | select(.given)] + ($every - $absent))}'
}

main() {
  need jq nix nix-store flock xargs base64 od
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  read_flavor
  mkdir -p "$downloads" "$STATE"
  # Checkouts may share the folder.
  exec 9> "$downloads/.lock"
  flock 9

  local flavor_locks=("$locks"/*.lock.json) build_lock=$package_set/build.lock.json
  given "${flavor_locks[@]}"
  checkouts "${flavor_locks[@]}"
  # The package set that fetches nothing itself locks what it builds with.
  if [ -f "$build_lock" ]; then
    debian "$package_set/debs"
    git_revisions "${flavor_locks[@]}"
    urls "${flavor_locks[@]}"
    pypi "${flavor_locks[@]}" "$build_lock"
    pin "${flavor_locks[@]}" "$build_lock" "$(debian_lock "$package_set/debs")"
  else
    given_by_hand "${flavor_locks[@]}" > "$work/given.lock.json"
    pin "$work/given.lock.json"
  fi
  jq -cn --argjson total "$(wc -l < "$work/all")" --argjson count "$count" --argjson bytes "$bytes" \
    --argjson relocked "$(relocked_packages "$package_set/debs")" \
    '{present: ([$total - $count, 0] | max), downloaded: $count, bytes: $bytes, relocked: $relocked}'
}

main
