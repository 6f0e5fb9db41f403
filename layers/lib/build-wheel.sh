# shellcheck shell=bash
# Builder: src (a source distribution, or a source tree) -> $out/*.whl. Sourced with src, python and PYTHONPATH set.
set -euo pipefail
# shellcheck disable=SC2154  # set by the derivation
: "$src" "$python" "$out" "$buildEnvironment" "$relax" "$relaxWheel"
# Any file time later than 1980 does: a zip archive holds no earlier one.
export SOURCE_DATE_EPOCH=315532800 PYTHONHASHSEED=0 HOME=$PWD

mkdir source
case $src in
  *.zip)
    "$python" -B -I -m zipfile -e "$src" unpacked
    cp -r unpacked/*/. source/
    ;;
  *)
    if [ -d "$src" ]; then cp -r "$src/." source/; else tar -xf "$src" -C source --strip-components=1; fi
    ;;
esac
chmod -R u+w source

environment_words=()
eval "environment_words=($buildEnvironment)"
env "${environment_words[@]}" \
  "$python" -B -m pip wheel --quiet --no-index --no-deps --no-build-isolation --no-cache-dir --disable-pip-version-check \
  --wheel-dir "$out" ./source
# shellcheck disable=SC2086  # a list of names
[ -z "$relax" ] || "$python" -B "$relaxWheel" "$out"/*.whl $relax
