# Command-line programs.
{ deb, libraries }:
let
  inherit (libraries) acl glibc gmp libcap libgcc libjq liblzma libselinux libzstd lz4 ncurses openssl zlib;
  make = deb.make { inherit glibc; };
in
{
  bash = make "bash" {
    mainProgram = "bash";
    dependencies = [ ncurses ];
    # rbash is a link that makes a restricted shell, bashbug mails Debian.
    without = [ "bashbug" "rbash" ];
    finish = ''ln -s bash "$out/bin/sh"'';
  };
  coreutils = make "coreutils" { mainProgram = "env"; dependencies = [ acl gmp libcap libselinux openssl ]; };
  diffutils = make "diffutils" { mainProgram = "diff"; };
  findutils = make "findutils" { mainProgram = "find"; dependencies = [ libselinux ]; };
  gnugrep = make "gnugrep" { mainProgram = "grep"; packages = [ "grep" ]; dependencies = [ libselinux ]; };
  gnused = make "gnused" { mainProgram = "sed"; packages = [ "sed" ]; dependencies = [ acl libselinux ]; };
  gnutar = make "gnutar" {
    mainProgram = "tar";
    packages = [ "tar" ];
    dependencies = [ acl libselinux ];
    # Remote tape drives.
    without = [ "rmt-tar" ];
  };
  gzip = make "gzip" { mainProgram = "gzip"; };
  jq = make "jq" { mainProgram = "jq"; dependencies = [ libjq ]; };
  xz = make "xz" { mainProgram = "xz"; packages = [ "xz-utils" ]; dependencies = [ liblzma ]; };
  zstd = make "zstd" { mainProgram = "zstd"; dependencies = [ libgcc liblzma libzstd lz4 zlib ]; };
}
