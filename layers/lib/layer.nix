# A layer: the contents that its module describes, put together in one store path; what shows that they work; its blob; and an
# image of it with all below.
#
# A module is called with the tools of lib/ and `below` (the layers it is on, lowest first) and answers with any of
#   programs  packages whose bin/ is linked into the layer's
#   site      a folder of Python packages (python.site)
#   files     { "path in the layer" = store path; }, linked
#   root      what goes to the image's own /: { tree, directories, links } (see pack_blob/entries.py)
#   check     shell code about the Python packages of this layer and those below. It does not see the layer's programs, so
#             that an edit of them does not run it again.
#   config    a function of the layer's path: what it adds to the image's config (see config.nix)
{ pkgs, flavor, python, text, config, mkBlob, mkImage, ... }@tools:
{ entry, module, below }:
let
  made = module (tools // { inherit below; });
  ownSite = if made ? site then [ made.site ] else [ ];
  # Upper layers first: the order in which Python looks.
  sites = builtins.foldl' (list: upper: upper ++ list) [ ] (map (layer: layer.ownSite) below ++ [ ownSite ]);
  # Whoever installs packages on top adds to those of the image and replaces none.
  constraints = self:
    let file = "${self}/share/image/constraints.txt"; in
    { Env = { PIP_CONSTRAINT = file; UV_CONSTRAINT = file; }; };
  configOf = self: config.mergeAll [ (if sites == [ ] then { } else constraints self) ((made.config or (_: { })) self) ];

  contents = pkgs.runCommand entry.attr
    (python.venv sites // {
      programs = map toString (made.programs or [ ]);
      links = builtins.concatStringsSep "\n" (builtins.concatMap
        (path: [ path made.files.${path} ])
        (builtins.attrNames (made.files or { })));
      # What the config names has to be in the image: written down here, it is part of the layer's closure.
      imageConfig = builtins.toJSON (configOf (builtins.placeholder "out"));
      describePackages = ./describe_packages.py;
      passAsFile = [ "imageConfig" "links" ];
    })
    "source ${./contents.sh}";

  # A command that has to succeed in the image's environment, with the programs of `top` and of the layers below.
  passes = name: { top, more ? { } }: command: pkgs.runCommand name
    {
      command = text.shellWords command;
      environment = text.shellWords (config.environment (config.withPrograms
        ((config.mergeAll (map (layer: layer.config) below ++ [ more ])).Env or { })
        (map (layer: layer.outPath) below ++ [ top ])));
    }
    "source ${./passes.sh}";
  smoke = if builtins.isList entry.smoke then entry.smoke else entry.smoke.${flavor};

  layer = contents // {
    inherit (entry) attr;
    inherit contents below ownSite;
    config = configOf contents.outPath;
    # Beside the blob, not before it: both are made at the same time.
    checks = pkgs.runCommand "${entry.attr}-checks"
      {
        passed =
          (if !(made ? check) then [ ] else [
            (passes "${entry.attr}-check" { top = python.venvOf "${entry.attr}-venv" sites; } [ "bash" "-euo" "pipefail" "-c" made.check ])
          ])
          ++ (if smoke == [ ] then [ ] else [
            (passes "${entry.attr}-smoke" { top = contents; more = layer.config; } smoke)
          ]);
      } ''echo "$passed" > "$out"'';
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
