# Locked files as fixed-output store paths. Nothing is downloaded here: set-up has added the files by their hashes.
{ system }:
let
  read = path: builtins.fromJSON (builtins.readFile path);
  # Debian drops superseded versions: where the locked ones are gone, set-up has made a lock of this machine's own.
  relocked = ./debs/relocked.json;
  debs = (read (if builtins.pathExists relocked then relocked else ./debs/lock.json)).files;
  wheels = (read ./build.lock.json).files;

  here = builtins.filter (file: (file.system or system) == system);
  byName = files: builtins.listToAttrs (map (file: { inherit (file) name; value = file; }) (here files));
  find = files: what: name: files.${name} or (throw "${what} ${name} is not locked for ${system} in package-sets/debian");

  deb = find (byName (builtins.filter (file: file.index == "debian") debs)) "the Debian package";
  wheel = find (byName wheels) "the wheel";

  # Only run when the file is missing, as its output is known by its hash.
  missing = "file:///missing-from-the-store--run--npm-run-setup";
  seed = let file = find (byName debs) "the tool" "busybox-seed"; in derivation {
    inherit system;
    name = file.file;
    builder = "builtin:fetchurl";
    url = "${missing}/${file.file}";
    unpack = false;
    executable = true;
    outputHashMode = "recursive";
    outputHashAlgo = "sha256";
    outputHash = file.hash;
    preferLocalBuild = true;
  };
  fetchurl = { name, hash, ... }: derivation {
    inherit system name;
    builder = "${seed}/bin/busybox";
    args = [ "sh" "-c" "echo \"$name is not in the Nix store: run 'npm run setup', which downloads what the locks name\"; exit 1" ];
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
    outputHash = hash;
    preferLocalBuild = true;
  };
  fetchLocked = file: fetchurl { name = file.file; inherit (file) hash; };
in
{
  inherit seed fetchurl;
  debFile = name: fetchLocked (deb name);
  debVersion = name: (deb name).version;
  wheelFile = name: fetchLocked (wheel name);
  wheelVersion = name: (wheel name).version;
}
