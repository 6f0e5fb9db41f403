# All layers of one flavor, each called from a source that holds nothing but its own inputs.
{ root, inputs, graph, system, platform, flavor, compression }:
let
  # Shared code as seen from one filtered source.
  toolsFrom = source: import (source + "/lib") {
    inherit flavor compression platform;
    settings = graph.flavors.${flavor};
    chosen = source + "/flavors/${flavor}";
    locks = source + "/locks/${flavor}";
    pkgs = import (source + "/package-sets/${graph.flavors.${flavor}.packageSet}") { inherit system platform inputs; };
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

  layers = builtins.mapAttrs (_: call) graph.byAttr;

  imageTools = toolsFrom (import ./source.nix {
    inherit root;
    name = "image-src";
    paths = graph.sharedPaths flavor;
  });
in
layers // {
  comfyui = imageTools.mkImage {
    name = "comfyui";
    layers = map (entry: layers.${entry.attr}) graph.layers;
  };
}
