# Packages without programs.
{ files, stage0 }:
let
  # One Debian package, unpacked below root/.
  from = pname: deb: script: stage0.run {
    inherit pname;
    version = files.debVersion deb;
    env.debs = [ (files.debFile deb) ];
    script = "unpack_debs root $debs\n" + script;
  };
in
{
  cacert = from "nss-cacert" "ca-certificates" ''
    mkdir -p "$out/etc/ssl/certs"
    # Each file ends in a line of its own, whether it says so or not.
    for certificate in root/usr/share/ca-certificates/mozilla/*.crt; do cat "$certificate"; echo; done \
      > "$out/etc/ssl/certs/ca-bundle.crt"
  '';
  tzdata = from "tzdata" "tzdata" ''
    mkdir -p "$out/share"
    cp -a root/usr/share/zoneinfo "$out/share/zoneinfo"
    drop_dead_links "$out"
  '';
}
