# What a layer's module and the layer functions have at hand.
{ pkgs, platform, flavor, settings, compression, chosen, locks }:
let
  tools = rec {
    inherit pkgs platform flavor settings compression;
    text = import ./text.nix;
    config = import ./config.nix;
    distribution = import ./distribution.nix;
    files = import ./files.nix { inherit pkgs distribution chosen locks; };
    torch = import ./torch.nix { inherit files settings; };
    python = import ./python.nix { inherit pkgs platform text distribution files; };
    mkBlob = import ./blob.nix { inherit pkgs settings compression; };
    mkImage = import ./image.nix { inherit pkgs platform compression config; };
    mkLayer = import ./layer.nix tools;
  };
in
tools
