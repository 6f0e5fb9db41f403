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
  originsOf = file: builtins.filter (key: file ? ${key}) (builtins.attrNames fetchers);

  # `npm run lock -- --check` tells everything that is wrong with a lock. Here only what would end in a message that nobody
  # could trace back to it.
  checked = lock: file:
    let
      name = file.name or file.file or "a nameless entry";
      absent = builtins.filter (key: !(builtins.isString (file.${key} or null))) [ "name" "version" "file" "hash" ];
      refuse = problem: throw "the lock ${lock}: ${name} ${problem}; see: npm run lock -- --check";
    in
    if absent != [ ] then refuse "lacks ${toString absent}"
    else if builtins.length (originsOf file) != 1 then refuse "needs exactly one of ${toString (builtins.attrNames fetchers)}"
    else file;
in
{
  # flavors/FLAVOR/NAME
  chosen = name: read (chosen + "/${name}");
  # The entries of a lock that this system uses.
  locked = lock: builtins.filter (file: (file.system or system) == system) (map (checked lock) (read (locks + "/${lock}")).files);
  fetch = file: fetchers.${builtins.head (originsOf file)} file;
}
