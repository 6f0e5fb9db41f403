# What a flavor is made of, as data: flavors/FLAVOR/ says by hand what is chosen from the package set, locks/FLAVOR/ has the
# files, { "files": [ { index, name, version, file, hash, size, system? } ] }, as infra/lock/lock-file.ts writes them. A lock
# names no registry's host; the package set knows where files of an index come from.
{ pkgs, chosen, locks }:
let
  inherit (pkgs.stdenv.hostPlatform) system;
  read = path: builtins.fromJSON (builtins.readFile path);
in
{
  # flavors/FLAVOR/NAME
  chosen = name: read (chosen + "/${name}");
  # The entries of a lock that this system uses.
  locked = lock: builtins.filter (file: (file.system or system) == system) (read (locks + "/${lock}")).files;
  fetch = file: pkgs.fetchurl {
    name = file.file;
    # A given file has no address at all: set-up puts it into the store.
    url = file.url or "mirror://${file.index or "given"}/${file.file}";
    inherit (file) hash;
  };
}
