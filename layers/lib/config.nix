# The image's config is the sum of what its layers contribute, lowest first: a layer on top wins.
# A contribution: { Env = { NAME = value; }; Labels, ExposedPorts, Volumes = { }; User, Entrypoint, Cmd, ... }
# Env.PATH is what comes before the layers' own programs.
let
  merge = lower: upper: lower // upper // builtins.listToAttrs (map
    (key: { name = key; value = (lower.${key} or { }) // (upper.${key} or { }); })
    (builtins.filter (key: lower ? ${key} || upper ? ${key}) [ "Env" "Labels" "ExposedPorts" "Volumes" ]));
in
{
  mergeAll = builtins.foldl' merge { };

  # PATH has the programs of `contents`, those of the upper layers first.
  withPrograms = env: contents: env // {
    PATH = builtins.concatStringsSep ":" (
      (if env ? PATH then [ env.PATH ] else [ ])
      ++ builtins.foldl' (path: layer: [ "${layer}/bin" ] ++ path) [ ] contents
    );
  };

  environment = env: map (name: "${name}=${env.${name}}") (builtins.attrNames env);
}
