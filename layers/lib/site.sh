# shellcheck shell=bash
# Builder: wheels and modules (Python packages of the package set) -> $out/lib/python3.x/site-packages and $out/bin, wheels'
# libraries found by RPATH alone, byte code compiled.
set -euo pipefail
# shellcheck disable=SC2154  # set by the derivation
: "$wheels" "$python" "$out" "$sitePackages" "$modules" "$aliases" "$libraryPath" "$loader" "$elf" "$compile" "$installWheels" "$linkModules"
# shellcheck source=elf.sh
source "$elf"

# A wheel's file name means something, so without the store's hash.
mkdir wheels
for wheel in $wheels; do
  if [ -d "$wheel" ]; then
    ln -s "$wheel"/*.whl wheels/
  else
    name=$(basename "$wheel")
    ln -s "$wheel" "wheels/${name#*-}"
  fi
done
mkdir -p "$out/$sitePackages"
wheel_files=()
for wheel in wheels/*.whl; do [ ! -e "$wheel" ] || wheel_files+=("$wheel"); done
"$python" -B "$installWheels" "$out" "$sitePackages" "${wheel_files[@]}"

# Distributions that another one stands for (OTHER==VERSION==NAME): known by their metadata, and nothing more.
for alias in $aliases; do
  IFS='=' read -r name _ version _ one <<< "$alias"
  metadata=$out/$sitePackages/${name//-/_}-$version.dist-info
  mkdir "$metadata"
  printf 'Metadata-Version: 2.1\nName: %s\nVersion: %s\nSummary: Its modules are those of %s.\n' "$name" "$version" "$one" > "$metadata/METADATA"
  printf 'nix\n' > "$metadata/INSTALLER"
  printf '%s,,\n' "${metadata##*/}"/{METADATA,INSTALLER,RECORD} > "$metadata/RECORD"
done

# shellcheck disable=SC2086  # a list of folders
add_rpaths "$out" "$loader" $libraryPath

"$python" -B -I -S "$compile" "$out" "$out/$sitePackages"

# Last, since these are links to files that are compiled already.
# shellcheck disable=SC2086  # a list of store paths
"$python" -B "$linkModules" "$out" "$sitePackages" $modules
