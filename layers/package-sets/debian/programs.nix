# Command-line programs.
{ deb, libraries }:
let
  inherit (libraries) acl glibc gmp libcap libgcc libjq liblzma libselinux libzstd lz4 ncurses openssl zlib;
  make = deb.make { inherit glibc; };
in
{
  bash = make "bash" {
    dependencies = [ ncurses ];
    # rbash is a link that makes a restricted shell, bashbug mails Debian.
    without = [ "bashbug" "rbash" ];
    finish = ''ln -s bash "$out/bin/sh"'';
  };
  coreutils = make "coreutils" {
    dependencies = [ acl gmp libcap libselinux openssl ];
    # They ask systemd's login manager.
    without = [ "pinky" "users" "who" ];
  };
  diffutils = make "diffutils" { };
  findutils = make "findutils" { dependencies = [ libselinux ]; };
  gnugrep = make "gnugrep" { packages = [ "grep" ]; dependencies = [ libselinux ]; };
  gnused = make "gnused" { packages = [ "sed" ]; dependencies = [ acl libselinux ]; };
  gnutar = make "gnutar" {
    packages = [ "tar" ];
    dependencies = [ acl libselinux ];
    # Remote tape drives.
    without = [ "rmt-tar" ];
  };
  gzip = make "gzip" { };
  jq = make "jq" { dependencies = [ libjq ]; };
  xz = make "xz" { packages = [ "xz-utils" ]; dependencies = [ liblzma ]; };
  zstd = make "zstd" { dependencies = [ libgcc liblzma libzstd lz4 zlib ]; };
}
