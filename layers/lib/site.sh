# shellcheck shell=bash
# Builder: wheels -> $out/lib/python3.x/site-packages and $out/bin, libraries found by RPATH alone, byte code compiled.
set -euo pipefail
# shellcheck disable=SC2154  # set by the derivation
: "$wheels" "$python" "$out" "$sitePackages" "$libraryPath" "$loader" "$elf" "$installWheels"
# shellcheck source=elf.sh
source "$elf"
# .pyc files differ with the hash seed; their times would too, hence the hashes.
export PYTHONHASHSEED=0

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
"$python" -B "$installWheels" "$out" "$sitePackages" wheels/*.whl

# shellcheck disable=SC2086  # a list of folders
add_rpaths "$out" "$loader" $libraryPath

"$python" -B -I -S -m compileall -q -f -j 1 --invalidation-mode unchecked-hash -s "$out" -p "$out" "$out/$sitePackages"
