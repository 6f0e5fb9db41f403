# Python packages from locked files: one site-packages folder per layer, so that libraries which look for each other beside
# themselves ($ORIGIN/../../nvidia/...) find each other.
{ pkgs, platform, files }:
let
  inherit (pkgs) python314 runCommand;
  inherit (python314) sitePackages;
  buildTools = with pkgs.python314Packages; [ pip setuptools wheel packaging ];
  isWheel = file: builtins.match ".*\\.whl" file.file != null;
  pathOf = packages: builtins.concatStringsSep ":" (map (package: "${package}/${sitePackages}") packages);

  # A wheel built from a source distribution, offline, with the locked build tools.
  buildWheel = file: runCommand "${file.name}-${file.version}-wheel"
    {
      src = files.fetch file;
      python = python314.interpreter;
      PYTHONPATH = pathOf buildTools;
    }
    "source ${./build-wheel.sh}";

  wheelOf = file: if isWheel file then files.fetch file else buildWheel file;
in
{
  inherit python314 sitePackages;
  # { name, files (lock entries) } -> a store path with lib/python3.x/site-packages and bin/.
  site = { name, files }: runCommand name
    {
      wheels = map wheelOf files;
      nativeBuildInputs = [ pkgs.patchelf ];
      python = python314.interpreter;
      PYTHONPATH = pathOf [ pkgs.python314Packages.installer ];
      inherit sitePackages;
      # What manylinux wheels expect of the machine they run on.
      libraryPath = map (package: "${package}/lib") [ pkgs.stdenv.cc.cc.lib pkgs.zlib pkgs.glibc ];
      loader = "${pkgs.glibc}/lib/${platform.loader}";
      elf = ./elf.sh;
      installWheels = ./install_wheels.py;
    }
    "source ${./site.sh}";
}
