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
  # mode: flat, a file by its bytes; recursive, a tree by its NAR.
  fixed = mode: { name, hash, message ? "run 'npm run setup -- --flavor FLAVOR' with the stack's flavor, which fetches what its locks name" }: derivation {
    inherit system name message;
    builder = "${seed}/bin/busybox";
    args = [ "sh" "-c" "echo \"$name is not in the Nix store: $message\"; exit 1" ];
    outputHashMode = mode;
    outputHashAlgo = "sha256";
    outputHash = hash;
    preferLocalBuild = true;
  };
  fetchLocked = file: fixed "flat" { name = file.file; inherit (file) hash; };
in
{
  inherit seed;
  # nixpkgs' fetchers, as far as the layers use them: same names, same arguments, same store paths.
  fetchers = {
    fetchurl = { name, url, hash }: fixed "flat" { inherit name hash; };
    fetchPypi = { pname, version, hash, format ? "setuptools", extension ? "tar.gz", dist ? python, python ? "py2.py3", abi ? "none", platform ? "any" }:
      fixed "flat" {
        inherit hash;
        name = if format == "wheel" then "${pname}-${version}-${python}-${abi}-${platform}.whl" else "${pname}-${version}.${extension}";
      };
    fetchgit = { name, url, rev, hash }: fixed "recursive" { inherit name hash; };
    fetchFromGitHub = { name, owner, repo, rev, hash }: fixed "recursive" { inherit name hash; };
    requireFile = { name, hash, message }: fixed "flat" { inherit name hash message; };
  };
  debFile = name: fetchLocked (deb name);
  debVersion = name: (deb name).version;
  wheelFile = name: fetchLocked (wheel name);
  wheelVersion = name: (wheel name).version;
}
