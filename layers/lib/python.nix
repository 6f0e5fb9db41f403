# Python packages from locked files and from the package set: one site-packages folder per layer, so that libraries which look
# for each other beside themselves ($ORIGIN/../../nvidia/...) find each other.
{ pkgs, platform, text, distribution, files }:
let
  inherit (pkgs) python314 python314Packages runCommand;
  inherit (python314) sitePackages;
  buildTools = with python314Packages; [ pip setuptools wheel packaging ];
  pathOf = packages: builtins.concatStringsSep ":" (map (package: "${package}/${sitePackages}") packages);

  # A wheel built from source, offline, with the package set's build tools.
  buildWheel = file:
    let build = file.build or { }; in
    runCommand "${file.name}-${file.version}-wheel"
      {
        src = files.fetch file;
        python = python314.interpreter;
        PYTHONPATH = pathOf buildTools;
        buildEnvironment = text.shellWords (text.assignments (build.env or { }));
        relax = build.relax or [ ];
        relaxWheel = ./relax_wheel.py;
      }
      "source ${./build-wheel.sh}";
  wheelOf = file: if distribution.isWheel file.file then files.fetch file else buildWheel file;

  named = nameOf: valueOf: list: builtins.listToAttrs (map (each: { name = nameOf each; value = valueOf each; }) list);
  ofFile = file: file.name;
  ofModule = module: distribution.normalize module.pname;

  # What of a site's files and packages it has to bring itself. The layers below may hold the same distributions already:
  # two locks with one are a fault; what the package set has brought there, which no lock knows of, is not brought again.
  # And of what packages propagate, the lock's own version is taken.
  own = { name, locked, packages, below }:
    let
      held = builtins.foldl' (all: site: all // site.distributions) { } (builtins.concatMap (layer: layer.ownSite) below);
      inLock = named ofFile (_: true) locked;
      chosen = map (attribute: python314Packages.${attribute}) packages;
      propagated = builtins.filter (module: module.pname != python314.pname) (python314Packages.requiredPythonModules chosen);
      twice = builtins.filter (file: held ? ${file} && held.${file}.locked) (builtins.attrNames inLock)
        ++ builtins.filter (module: inLock ? ${module}) (map ofModule chosen);
    in
    if twice != [ ] then throw "${name}: these are in its lock and in that of a layer below, or among its packages: ${toString twice}"
    else {
      files = builtins.filter (file: !(held ? ${file.name})) locked;
      modules = if packages == [ ] then [ ]
        else builtins.filter (module: !(inLock ? ${ofModule module} || held ? ${ofModule module})) propagated;
    };
in
rec {
  inherit python314 sitePackages;
  compile = ./compile.py;

  # What make_venv of venv.sh wants of a derivation whose Python sees these sites, the first one first.
  venv = sites: {
    venv = ./venv.sh;
    inherit sitePackages;
    python = if sites == [ ] then "" else python314;
    pythonVersion = python314.version;
    sites = map toString sites;
  };
  # Such a Python and nothing else.
  venvOf = name: sites: runCommand name (venv sites) ''source "$venv"; make_venv'';

  # A store path with lib/python3.x/site-packages and bin/, from
  #   files     entries of locks,
  #   packages  attributes of the package set's Python packages, which come with what they propagate,
  # less what the layers below hold. Its `distributions` say what it holds: { NAME = { version, locked }; }.
  #   standsFor { NAME = [ OTHER ... ]; }: of distributions that bring the same modules only NAME is here; whoever requires
  #             another (packages of this layer, or a node that a user installs) is told that it is there, in NAME's version.
  site = { name, files, packages ? [ ], standsFor ? { }, below }:
    let
      made = own { inherit name packages below; locked = files; };
      held = named ofFile (file: file.version) made.files;
      # One word each: OTHER==VERSION==NAME
      alias = one: map (other: "${other}==${held.${one}}==${one}") standsFor.${one};
    in
    runCommand name
      {
        wheels = map wheelOf made.files;
        modules = map toString made.modules;
        aliases = builtins.concatMap alias (builtins.filter (one: held ? ${one}) (builtins.attrNames standsFor));
        nativeBuildInputs = [ pkgs.patchelf ];
        python = python314.interpreter;
        PYTHONPATH = pathOf [ python314Packages.installer ];
        inherit sitePackages;
        # What manylinux wheels expect of the machine they run on.
        libraryPath = map (package: "${package}/lib") [ pkgs.stdenv.cc.cc.lib pkgs.zlib pkgs.glibc ];
        loader = "${pkgs.glibc}/lib/${platform.loader}";
        elf = ./elf.sh;
        inherit compile;
        installWheels = ./install_wheels.py;
        linkModules = ./link_modules.py;
      }
      "source ${./site.sh}" // {
      distributions = named ofFile (file: { inherit (file) version; locked = true; }) made.files
        // named ofModule (module: { inherit (module) version; locked = false; }) made.modules;
    };
}
