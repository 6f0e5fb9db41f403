# shellcheck shell=bash
# Builder of a layer's contents (see layer.nix): bin/ of its programs, a Python that sees this layer's packages and those of
# the layers below, links, the config's contribution.
set -euo pipefail
# shellcheck disable=SC2154  # set by the derivation
: "$out" "$programs" "$sites" "$venv" "$describePackages" "$linksPath" "$imageConfigPath"
# shellcheck source=venv.sh
source "$venv"

link_programs() {
  local package program name
  for package in $programs; do
    for program in "$package"/bin/*; do
      if [ ! -e "$program" ]; then
        echo "$package is no package with programs" >&2
        return 1
      fi
      name=${program##*/}
      if [ -e "$out/bin/$name" ]; then
        echo "two packages of this layer bring bin/$name: $(readlink "$out/bin/$name") and $program" >&2
        return 1
      fi
      mkdir -p "$out/bin"
      ln -s "$program" "$out/bin/$name"
    done
  done
}

link_files() {
  local path target
  while read -r path && read -r target; do
    if [ ! -e "$target" ]; then
      echo "$path is to be a link to $target, which is not there" >&2
      return 1
    fi
    mkdir -p "$out/$(dirname "$path")"
    ln -s "$target" "$out/$path"
  done < <(cat "$linksPath"; echo)
}

mkdir -p "$out/share/image"
link_programs
if [ -n "$sites" ]; then
  make_venv
  "$out/bin/python" -B "$describePackages" "$out/share/image"
fi
link_files
cp "$imageConfigPath" "$out/share/image/config.json"
