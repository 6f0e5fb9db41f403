# The image's config is the sum of what its layers contribute, lowest first: a layer on top wins.
# A contribution: { Env = { NAME = value; }; Labels, ExposedPorts, Volumes = { }; User, Entrypoint, Cmd, ... }
let
  merge = lower: upper: lower // upper // builtins.listToAttrs (map
    (key: { name = key; value = (lower.${key} or { }) // (upper.${key} or { }); })
    (builtins.filter (key: lower ? ${key} || upper ? ${key}) [ "Env" "Labels" "ExposedPorts" "Volumes" ]));
in
{
  mergeAll = builtins.foldl' merge { };

  # Programs of the upper layers come first.
  searchPath = contents: builtins.concatStringsSep ":" (builtins.foldl' (path: layer: [ "${layer}/bin" ] ++ path) [ ] contents);

  environment = env: map (name: "${name}=${env.${name}}") (builtins.attrNames env);
}
