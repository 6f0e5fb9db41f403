# Commands for a machine that has Nix and nothing else. They are no layer's input: a change here builds no layer again.
{ inputs, graph, system, platform, defaults, ... }:
let
  source = import ../lib/source.nix {
    root = ../.;
    name = "apps-src";
    paths = graph.sharedPaths defaults.flavor;
  };
  pkgs = import (source + "/package-sets/${graph.flavors.${defaults.flavor}.packageSet}") {
    inherit system platform inputs;
  };
  # A bash array by flavor: the option --flavor is read when the app runs.
  byFlavor = keep: toString (map
    (flavor: "[${flavor}]='${toString (map (layer: layer.attr) (builtins.filter keep (graph.layersOf flavor)))}'")
    (builtins.attrNames graph.flavors));

  app = description: name: file: {
    type = "app";
    meta = { inherit description; };
    program = "${pkgs.writeShellScriptBin name ''
      PATH=${builtins.concatStringsSep ":" (map (package: "${package}/bin") (with pkgs; [ bash coreutils gnugrep gnused jq python314 ]))}:$PATH
      flake=path:${inputs.self}
      system=${system}
      flavor=${defaults.flavor}
      compression=${defaults.compression}
      declare -A layers_of=(${byFlavor (layer: true)}) with_blob_of=(${byFlavor (layer: layer.blob)})
      docker_archive=${./docker_archive.py}
      source ${./options.sh}
      source ${file}
    ''}/bin/${name}";
  };
in
{
  build-incremental = app "builds every layer in turn, with a table of what it took" "build-incremental" ./build-incremental.sh;
  load = app "loads the image, or the image of one layer, into Docker" "load" ./load.sh;
}
