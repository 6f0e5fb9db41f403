# shellcheck shell=bash
# make_venv: a virtual environment in $out whose Python sees the packages of `sites` (see python.nix). Sourced by builders.

# No wrapper script, so sys.executable, child processes and #! lines are right.
make_venv() {
  local name
  # shellcheck disable=SC2154  # set by the derivation
  : "$out" "$python" "$pythonVersion" "$sitePackages" "$sites"
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
