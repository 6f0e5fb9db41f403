# Packages without programs.
{ files, stage0 }:
{
  cacert = stage0.run {
    pname = "nss-cacert";
    version = files.debVersion "ca-certificates";
    env.debs = [ (files.debFile "ca-certificates") ];
    script = ''
      unpack_debs root $debs
      mkdir -p "$out/etc/ssl/certs"
      # Each file ends in a line of its own, whether it says so or not.
      for certificate in root/usr/share/ca-certificates/mozilla/*.crt; do cat "$certificate"; echo; done \
        > "$out/etc/ssl/certs/ca-bundle.crt"
    '';
  };
  tzdata = stage0.run {
    pname = "tzdata";
    version = files.debVersion "tzdata";
    env.debs = [ (files.debFile "tzdata") ];
    script = ''
      unpack_debs root $debs
      mkdir -p "$out/share"
      cp -a root/usr/share/zoneinfo "$out/share/zoneinfo"
      drop_dead_links "$out"
    '';
  };
}
