# shellcheck shell=sh disable=SC3040,SC3046,SC3051,SC2154
# Prelude of builders that have nothing but busybox (its sh knows `source`); the variables are the derivation's.
set -o pipefail
export LC_ALL=C TZ=UTC
umask 022
"$busybox" mkdir -p "$TMPDIR/tools"
"$busybox" --install -s "$TMPDIR/tools"
export PATH="$TMPDIR/tools${patchelf:+:$patchelf/bin}"
# shellcheck source=/dev/null
. "$elf"
# shellcheck source=/dev/null
. "$functions"
