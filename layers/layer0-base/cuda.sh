# shellcheck shell=bash
# Builder: CUDA_HOME from the compiler (linked) and, of the packages in `headers`, what a compiler needs (copied): headers, static
# libraries, and stubs to link against libraries that only the driver brings. No shared library of CUDA.
set -euo pipefail
# shellcheck disable=SC2154  # set by the derivation
: "$compiler" "$headers" "$out"

cp -rs "$compiler" "$out"
chmod -R u+w "$out"
rm -rf "$out/nix-support"

# take FOLDER FIND_CONDITION...: files and links of a package's folder that are not there yet.
take() {
  local from=$1 file
  shift
  while IFS= read -r -d '' file; do
    file=${file#./}
    [ ! -e "$out/$file" ] || continue
    mkdir -p "$out/$(dirname "$file")"
    cp -d --no-preserve=mode "$from/$file" "$out/$file"
  done < <(cd "$from" && find . "$@" -print0)
}
for package in $headers; do
  take "$package" -path './include/*' ! -type d
  take "$package" -path './lib/*.a' ! -type d
  take "$package" -path './lib/stubs/*' ! -type d
done
# A stub is linked against and never loaded. Emptied first: what is only removed stays in the file, as a reference.
for stub in "$out"/lib/stubs/*; do
  if [ -f "$stub" ] && [ ! -L "$stub" ]; then
    patchelf --set-rpath "" "$stub"
    patchelf --remove-rpath "$stub"
  fi
done
# PyTorch's own compile commands name this one.
[ -e "$out/lib64" ] || ln -s lib "$out/lib64"
