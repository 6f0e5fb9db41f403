# shellcheck shell=bash
# Builder of a layer's contents (see layer.nix): bin/ of its programs, a Python that sees this layer's packages and those of
# the layers below, links, the config's contribution; then the check and the smoke test, in the image's environment.
set -euo pipefail
# shellcheck disable=SC2154  # set by the derivation
: "$out" "$programs" "$python" "$pythonVersion" "$sitePackages" "$sites" "$linksPath" "$imageConfigPath" \
  "$check" "$smoke" "$environment"

link_programs() {
  local package program name
  for package in $programs; do
    for program in "$package"/bin/*; do
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

# A virtual environment: no wrapper script, so sys.executable, child processes and #! lines are right.
make_python() {
  local name
  mkdir -p "$out/bin" "$out/$sitePackages"
  for name in python python3 "python${pythonVersion%.*}"; do ln -s "$python/bin/python3" "$out/bin/$name"; done
  printf 'home = %s/bin\ninclude-system-site-packages = false\nversion = %s\n' "$python" "$pythonVersion" > "$out/pyvenv.cfg"
  # addsitedir rather than bare lines: only it reads the .pth files of the packages themselves.
  for name in $sites; do printf "import site; site.addsitedir('%s')\n" "$name/$sitePackages"; done > "$out/$sitePackages/layers.pth"
  # Scripts of the layers below too, to be run by the python that sees more.
  for name in $sites; do add_scripts "$name"; done
}

add_scripts() {
  local script name
  [ -d "$1/bin" ] || return 0
  for script in "$1"/bin/*; do
    name=$out/bin/${script##*/}
    [ ! -e "$name" ] || continue
    if head -n 1 "$script" | grep -q '^#!.*python'; then
      { echo "#!$out/bin/python"; tail -n +2 "$script"; } > "$name"
      chmod 755 "$name"
    else
      ln -s "$script" "$name"
    fi
  done
}

link_files() {
  local path target
  while read -r path && read -r target; do
    mkdir -p "$out/$(dirname "$path")"
    ln -s "$target" "$out/$path"
  done < <(cat "$linksPath"; echo)
}

mkdir -p "$out/share/image"
link_programs
[ -z "$python" ] || make_python
link_files
cp "$imageConfigPath" "$out/share/image/config.json"

run() {
  local environment_words=()
  eval "environment_words=($environment)"
  (cd "$TMPDIR" && env -i "${environment_words[@]}" HOME="$TMPDIR" TMPDIR="$TMPDIR" PYTHONDONTWRITEBYTECODE=1 "$@")
}
if [ -n "$check" ]; then
  echo "check" >&2
  run bash -euo pipefail -c "$check"
fi
if [ -n "$smoke" ]; then
  echo "smoke test: $smoke" >&2
  smoke_words=()
  eval "smoke_words=($smoke)"
  run "${smoke_words[@]}"
fi
