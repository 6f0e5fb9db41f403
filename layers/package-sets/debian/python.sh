# shellcheck shell=sh disable=SC2154,SC2086
# Builder of the interpreter (sourced; the variables are the derivation's).
unpack_debs root $debs
mkdir -p "$out/bin" "$out/lib/python3.14/site-packages"
cp root/usr/bin/python3.14 "$out/bin/"
ln -s python3.14 "$out/bin/python3"
ln -s python3.14 "$out/bin/python"

library=$out/lib/python3.14
cp -a root/usr/lib/python3.14/. "$library/"
# Debian's crash reporter, its ban on pip, and tests.
rm -rf "$library/sitecustomize.py" "$library/EXTERNALLY-MANAGED" "$library/test"
rm -f "$library"/lib-dynload/_test* "$library"/lib-dynload/_xxtest* "$library"/lib-dynload/xx*
# Upstream's places, not those of Debian's /usr/local.
sed -i -e "s,prefix_scheme = 'posix_local',prefix_scheme = 'posix_prefix'," "$library/sysconfig/__init__.py"
set_rpaths "$out" "$loader" $libraryPath
drop_dead_links "$out"

"$out/bin/python3.14" -B -I -S "$compile" "$out" "$library"
# Each of these is bound to a library of another package.
"$out/bin/python3.14" -B -I -c 'import bz2, compression.zstd, ctypes, curses, dbm.ndbm, decimal, hashlib, lzma, pyexpat, readline, sqlite3, ssl, uuid, venv, zlib, zoneinfo'
