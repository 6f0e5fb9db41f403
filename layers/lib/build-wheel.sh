# shellcheck shell=bash
# Builder: src (a source distribution) -> $out/*.whl. Sourced with src, python and PYTHONPATH set.
set -euo pipefail
# shellcheck disable=SC2154  # set by the derivation
: "$src" "$python" "$out"
# Any file time later than 1980 does: a zip archive holds no earlier one.
export SOURCE_DATE_EPOCH=315532800 PYTHONHASHSEED=0 HOME=$PWD

mkdir source
tar -xf "$src" -C source --strip-components=1
"$python" -B -m pip wheel --quiet --no-index --no-deps --no-build-isolation --no-cache-dir --disable-pip-version-check \
  --wheel-dir "$out" ./source
