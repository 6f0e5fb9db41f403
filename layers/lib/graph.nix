# layers.json as Nix sees it. The TypeScript side checks the same file more closely (cycles, missing files, ...); here only what
# would otherwise end in an unreadable error is checked.
{ root, graph }:
let
  byAttr = builtins.listToAttrs (map (entry: { name = entry.attr; value = entry; }) graph.layers);
  entryOf = user: attr: byAttr.${attr} or (throw "layers.json: ${user} is on ${attr}, which is not in it");

  # Every layer that this one is on, in the order of layers.json: lower layers first.
  below = entry:
    let
      reached = builtins.genericClosure {
        startSet = map (attr: { key = attr; }) entry.on;
        operator = { key }: map (attr: { key = attr; }) (entryOf entry.attr key).on;
      };
      keys = map ({ key }: key) reached;
    in
    if builtins.elem entry.attr keys then throw "layers.json: ${entry.attr} is on itself"
    else builtins.filter (attr: builtins.elem attr keys) (map (other: other.attr) graph.layers);

  # Placeholders of a path in layers.json, filled in.
  expand = flavor: map (builtins.replaceStrings
    [ "{flavor}" "{packageSet}" ]
    [ flavor graph.flavors.${flavor}.packageSet ]);
in
{
  inherit (graph) flavors;
  inherit below;
  # The layers that the flavor has: an optional one only where its file is there.
  layersOf = flavor: builtins.filter
    (entry: !(entry ? optional) || builtins.all (file: builtins.pathExists (root + "/${file}")) (expand flavor [ entry.optional ]))
    graph.layers;
  sharedPaths = flavor: expand flavor graph.shared;
  inputPaths = flavor: entry: expand flavor (graph.shared ++ entry.inputs);
}
