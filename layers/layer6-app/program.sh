# shellcheck shell=bash
# Builder: src (a folder) -> $out/share/comfyui, its byte code compiled.
set -euo pipefail
# shellcheck disable=SC2154  # set by the derivation
: "$src" "$python" "$out" "$compile"
program=$out/share/comfyui
mkdir -p "$program"
cp -r "$src/." "$program"
chmod -R u+w "$program"
# What a release has for its developers.
rm -rf "$program"/{tests,tests-unit,.ci,.github}
"$python" -B -I -S "$compile" "$out" "$program"
