# The flake's outputs: legacyPackages.<system>.<flavor>.<compression>.<layer>, a short cut to the default of each, and the apps.
{ root, inputs }:
let
  platforms = import ./platforms.nix;
  graph = import ./graph.nix { inherit root; graph = builtins.fromJSON (builtins.readFile (root + "/layers.json")); };
  defaults = { flavor = "sample"; compression = "zstd"; };

  perSystem = make: builtins.mapAttrs (system: platform: make system) platforms;
  layersOf = system: flavor: compression: import ./layer-set.nix {
    inherit root inputs graph system flavor compression;
    platform = platforms.${system};
  };
  legacyPackages = perSystem (system:
    builtins.mapAttrs
      (flavor: _: {
        zstd = layersOf system flavor "zstd";
        gzip = layersOf system flavor "gzip";
      })
      graph.flavors);
in
{
  inherit legacyPackages;
  # A host script's copy of the sources has the flavor that is built, and no other.
  packages = perSystem (system: (legacyPackages.${system}.${defaults.flavor} or { ${defaults.compression} = { }; }).${defaults.compression});
  apps = perSystem (system: import (root + "/apps") {
    inherit root inputs graph system defaults;
    platform = platforms.${system};
  });
}
