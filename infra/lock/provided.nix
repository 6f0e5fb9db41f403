# What a flavor's package set brings for these attributes of its Python packages, as layers/lib/python.nix sees it, whatever is
# locked: { NAME = VERSION; }. `layers` is the flake's reference, `packages` a list as JSON.
{ layers, flavor, system, packages }:
let
  flake = builtins.getFlake layers;
  source = flake.outPath;
  settings = (builtins.fromJSON (builtins.readFile (source + "/layers.json"))).flavors.${flavor};
  platform = (import (source + "/lib/platforms.nix")).${system};
  lib = import (source + "/lib") {
    pkgs = import (source + "/package-sets/${settings.packageSet}") { inherit system platform; inherit (flake) inputs; };
    inherit platform flavor settings;
    compression = "zstd";
    chosen = source + "/flavors/${flavor}";
    locks = source + "/locks/${flavor}";
  };
  site = lib.python.site { name = "provided"; files = [ ]; packages = builtins.fromJSON packages; below = [ ]; };
in
builtins.mapAttrs (_: distribution: distribution.version) site.distributions
