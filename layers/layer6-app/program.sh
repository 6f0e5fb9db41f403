# shellcheck shell=bash
# Builder: src (a folder, or an archive of one) -> $out/share/comfyui, its byte code compiled.
set -euo pipefail
# shellcheck disable=SC2154  # set by the derivation
: "$src" "$python" "$out" "$compile"
program=$out/share/comfyui
mkdir -p "$program"
if [ -d "$src" ]; then
  cp -r "$src/." "$program"
else
  tar -xf "$src" -C "$program" --strip-components=1
fi
chmod -R u+w "$program"
# What a release has for its developers.
rm -rf "$program"/{tests,tests-unit,.ci,.github}
"$python" -B -I -S "$compile" "$out" "$program"
