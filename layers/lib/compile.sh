# shellcheck shell=bash
# Byte code that is the same on every machine, in $out. Sourced by builders with python and out set.

# .pyc files differ with the hash seed; their times would too, hence the hashes.
export PYTHONHASHSEED=0
# shellcheck disable=SC2154  # set by the derivation
compile_command=("$python" -B -I -S -m compileall -q -f -j 1 --invalidation-mode unchecked-hash -s "$out" -p "$out")

# compile_python FOLDER: each folder in it by a process of its own, as many at once as there are cores: within one process the
# bytes depend on what it has compiled before, so folders must not be dealt out to processes by chance (as `compileall -j 2` does).
compile_python() {
  find "$1" -mindepth 1 -maxdepth 1 -type d -print0 | sort -z | xargs -0 -r -n 1 -P "$NIX_BUILD_CORES" "${compile_command[@]}"
  "${compile_command[@]}" -l "$1"
}
