# A layer: the contents that its module describes, put together in one store path; its blob; and an image of it with all below.
#
# A module is called with the tools of lib/ and `below` (the layers it is on, lowest first) and answers with any of
#   programs  packages whose bin/ is linked into the layer's
#   site      a folder of Python packages (python.site)
#   files     { "path in the layer" = store path; }, linked
#   root      what goes to the image's own /: { tree, directories, links } (see pack_blob.py)
#   check     shell code, run once everything is in place
#   config    a function of the layer's path: what it adds to the image's config (see config.nix)
{ pkgs, flavor, python, text, config, mkBlob, mkImage, ... }@tools:
{ entry, module, below }:
let
  made = module (tools // { inherit below; });
  ownSite = if made ? site then [ made.site ] else [ ];
  # Upper layers first: the order in which Python looks.
  sites = builtins.foldl' (list: upper: upper ++ list) [ ] (map (layer: layer.ownSite) below ++ [ ownSite ]);
  configOf = made.config or (_: { });

  # In the builder the layer's own path is $out.
  self = builtins.placeholder "out";
  environment = (config.mergeAll (map (layer: layer.config) below ++ [ (configOf self) ])).Env or { } // {
    PATH = config.searchPath (map (layer: layer.outPath) below ++ [ self ]);
  };

  contents = pkgs.runCommand entry.attr
    {
      programs = map toString (made.programs or [ ]);
      inherit (python) sitePackages;
      python = if sites == [ ] then "" else python.python314;
      pythonVersion = python.python314.version;
      sites = map toString sites;
      links = builtins.concatStringsSep "\n" (builtins.concatMap
        (path: [ path made.files.${path} ])
        (builtins.attrNames (made.files or { })));
      # What the config names has to be in the image: written down here, it is part of the layer's closure.
      imageConfig = builtins.toJSON (configOf self);
      check = made.check or "";
      smoke = text.shellWords (if builtins.isList entry.smoke then entry.smoke else entry.smoke.${flavor});
      environment = text.shellWords (config.environment environment);
      passAsFile = [ "imageConfig" "links" ];
    }
    "source ${./contents.sh}";

  layer = contents // {
    inherit (entry) attr;
    inherit contents below ownSite;
    config = configOf contents.outPath;
    image = mkImage { name = entry.attr; layers = below ++ [ layer ]; };
  } // (if !entry.blob then { } else {
    blob = mkBlob {
      inherit (entry) attr;
      inherit contents below;
      root = made.root or null;
    };
  });
in
layer
