# The program, its entry point, and how a container runs it.
{ pkgs, python, files, below, ... }:
let
  holds = distribution: builtins.any (site: site.distributions ? ${distribution}) (builtins.concatMap (layer: layer.ownSite) below);
  # notImported: { NAME = reason; }, Python packages that do not load by themselves.
  inherit (files.chosen "layer6-app.json") notImported;
  program = import ./program.nix { inherit pkgs python files; };
  runtime = import ./runtime {
    inherit pkgs python;
    program = "${program}/share/comfyui";
    port = 8188;
    volume = "/data";
    # As an installed package it is off unless asked for.
    options = if holds "comfyui-manager" then [ "--enable-manager" ] else [ ];
  };
in
{
  programs = [ runtime.package ];

  # Everything together: versions that agree, and modules that load.
  check = ''
    python -m pip check
    python ${./no_distribution_twice.py}
    python ${./import_all.py} ${toString (builtins.attrNames notImported)}
  '';

  inherit (runtime) config;
}
