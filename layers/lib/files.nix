# What a flavor is made of, as data: flavors/FLAVOR/ says by hand what is chosen from the package set, locks/FLAVOR/ has the
# files, one entry a file, as infra/lock/lock-file.ts writes them. A lock names no registry's host; the package set knows where
# files of an index come from.
{ pkgs, distribution, chosen, locks }:
let
  inherit (pkgs.stdenv.hostPlatform) system;
  read = path: builtins.fromJSON (builtins.readFile path);

  # By the one key of an entry that says where its bytes are: how they come into the store, under the file's name.
  fetchers = {
    index = file: pkgs.fetchPypi (distribution.fetchPypiArguments file.file // { inherit (file) hash; });
    url = file: pkgs.fetchurl { name = file.file; inherit (file) url hash; };
    git = file:
      let
        source = { name = file.file; inherit (file) rev hash; };
        bare = builtins.match "(.*)\\.git" file.git;
        github = builtins.match "https://github\\.com/([^/]+)/([^/]+)" (if bare == null then file.git else builtins.head bare);
      in
      if github == null then pkgs.fetchgit (source // { url = file.git; })
      else pkgs.fetchFromGitHub (source // { owner = builtins.elemAt github 0; repo = builtins.elemAt github 1; });
    # Nobody serves it.
    given = file: pkgs.requireFile {
      name = file.file;
      inherit (file) hash;
      message = "nobody serves it; give it by 'npm run setup -- --flavor FLAVOR --file PATH'";
    };
  };
  # `npm run lock -- --check` tells everything that is wrong with a lock. Here only what would end in a message that nobody
  # could trace back to it.
  refuse = file: problem: throw "the lock's entry for ${file.name or file.file or "something nameless"} ${problem}; see: npm run lock -- --check";
  originOf = file:
    let found = builtins.filter (key: file ? ${key}) (builtins.attrNames fetchers); in
    if builtins.length found == 1 then builtins.head found
    else refuse file "needs exactly one of ${toString (builtins.attrNames fetchers)}";
  checked = file:
    let absent = builtins.filter (key: !(builtins.isString (file.${key} or null))) [ "name" "version" "file" "hash" ]; in
    if absent != [ ] then refuse file "lacks ${toString absent}" else builtins.seq (originOf file) file;
in
{
  # flavors/FLAVOR/NAME
  chosen = name: read (chosen + "/${name}");
  # The entries of a lock that this system uses.
  locked = lock: builtins.filter (file: (file.system or system) == system) (map checked (read (locks + "/${lock}")).files);
  fetch = file: fetchers.${originOf file} file;
}
