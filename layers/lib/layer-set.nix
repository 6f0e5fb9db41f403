# All layers of one flavor, each called from a source that holds nothing but its own inputs.
{ root, inputs, graph, system, platform, flavor, compression }:
let
  settings = graph.flavors.${flavor};
  shared = import ./source.nix {
    inherit root;
    name = "shared-src";
    paths = graph.sharedPaths flavor;
  };
  # One for all layers: every import of a package set is evaluated by itself, and that of nixpkgs takes a while.
  pkgs = import (shared + "/package-sets/${settings.packageSet}") { inherit system platform inputs; };

  # Shared code as seen from one filtered source.
  toolsFrom = source: import (source + "/lib") {
    inherit pkgs platform flavor settings compression;
    chosen = source + "/flavors/${flavor}";
    locks = source + "/locks/${flavor}";
  };

  call = entry:
    let
      source = import ./source.nix {
        inherit root;
        name = "${entry.attr}-src";
        paths = graph.inputPaths flavor entry;
      };
      tools = toolsFrom source;
    in
    tools.mkLayer {
      inherit entry;
      module = import (source + "/${entry.attr}");
      below = map (attr: layers.${attr}) (graph.below entry);
    };

  entries = graph.layersOf flavor;
  layers = builtins.listToAttrs (map (entry: { name = entry.attr; value = call entry; }) entries);
in
layers // {
  comfyui = (toolsFrom shared).mkImage {
    name = "comfyui";
    layers = map (entry: layers.${entry.attr}) entries;
  };
}
