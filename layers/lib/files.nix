# Files of a lock: { "files": [ { index, name, version, file, hash, system? } ] }. A lock names no host; the package set knows
# where files of an index come from.
{ pkgs, locks }:
let
  inherit (pkgs.stdenv.hostPlatform) system;
  read = lock: builtins.fromJSON (builtins.readFile (locks + "/${lock}"));
in
{
  inherit read;
  # The entries of a lock that this system uses.
  locked = lock: builtins.filter (file: (file.system or system) == system) (read lock).files;
  fetch = file: pkgs.fetchurl {
    name = file.file;
    url = "mirror://${file.index}/${file.file}";
    inherit (file) hash;
  };
}
