# Shared libraries.
{ platform, files, stage0, deb }:
let
  glibc = stage0.run {
    pname = "glibc";
    version = files.debVersion "libc6";
    env = {
      debs = map files.debFile [ "libc6" "libc-bin" ];
      inherit (stage0) patchelf;
      inherit (platform) loader;
    };
    script = ''
      unpack_debs root $debs
      mkdir -p "$out/bin" "$out/lib"
      cp -a "root/usr/lib/$triplet/." "$out/lib/"
      cp -a root/usr/lib/locale "$out/lib/locale"
      # Conversions and link auditing are loaded by absolute paths; nothing here uses them.
      rm -rf "$out/lib/gconv" "$out/lib/audit"
      for program in getent iconv locale; do cp "root/usr/bin/$program" "$out/bin/"; done
      isolate_loader "$out/lib/$loader" "$triplet"
      # The loader itself must stay as it is otherwise.
      cp "$out/lib/$loader" loader
      set_rpaths "$out" "$out/lib/$loader" "$out/lib"
      cp loader "$out/lib/$loader"
      drop_dead_links "$out"
      "$out/bin/getent" --version
    '';
  };
  make = deb.make { inherit glibc; };
  one = pname: package: make pname { packages = [ package ]; };
in
rec {
  inherit glibc;
  libgcc = make "libgcc" { packages = [ "libgcc-s1" "libstdc++6" "libgomp1" ]; };
  zlib = one "zlib" "zlib1g";
  expat = one "expat" "libexpat1";
  libzstd = one "libzstd" "libzstd1";
  openssl = make "openssl" { packages = [ "libssl3t64" ]; dependencies = [ zlib libzstd ]; };
  libffi = one "libffi" "libffi8";
  bzip2 = one "bzip2" "libbz2-1.0";
  liblzma = one "liblzma" "liblzma5";
  sqlite = one "sqlite" "libsqlite3-0";
  xxhash = one "xxhash" "libxxhash0";
  lz4 = make "lz4" { packages = [ "liblz4-1" ]; dependencies = [ xxhash ]; };
  libuuid = one "libuuid" "libuuid1";
  db = one "db" "libdb5.3t64";
  gmp = one "gmp" "libgmp10";
  libcap = one "libcap" "libcap2";
  acl = make "acl" { packages = [ "libacl1" "libattr1" ]; };
  libselinux = make "libselinux" { packages = [ "libselinux1" "libpcre2-8-0" ]; };
  libjq = make "libjq" { packages = [ "libjq1" "libonig5" ]; };
  ncurses = make "ncurses" {
    packages = [ "libtinfo6" "libncursesw6" "ncurses-base" ];
    finish = ''copy_if_there root/usr/lib/terminfo "$out/share/terminfo"; copy_if_there root/usr/share/terminfo "$out/share/terminfo"'';
  };
  readline = make "readline" { packages = [ "libreadline8t64" ]; dependencies = [ ncurses ]; };
}
