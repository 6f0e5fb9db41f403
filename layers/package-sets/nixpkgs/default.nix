# nixpkgs itself, at the revision that flake.lock pins. What is built here is what NixOS's own cache has:
#   no overlay, and no other stdenv    either changes every derivation, and no public cache has any of those;
#   cudaSupport stays false            true changes ffmpeg, numpy's neighbours and everything above them. CUDA's libraries come
#                                      from wheels (layer3-pytorch), so that nothing else here needs to be built with CUDA.
# CUDA's compiler and headers are NVIDIA's archives, repacked: no cache has them, but they take minutes and compile nothing.
{ system, inputs, ... }:
let
  nixpkgs = more: import inputs.nixpkgs {
    inherit system;
    # Explicit, so that nothing of the user's own configuration comes in where evaluation is impure.
    overlays = [ ];
    # Of what is not free, NVIDIA's alone. The licence has no part in a derivation, and so none in what a cache has.
    config = { allowUnfreePredicate = pkgs._cuda.lib.allowUnfreeCudaPredicate; } // more;
  };
  pkgs = nixpkgs { };

  # PyTorch of nixpkgs ("torch": "nixpkgs" in layers.json) is built for this CUDA, whatever its default is. Only what is taken
  # from here is built with CUDA, and nothing is evaluated where it is not.
  withCuda = (nixpkgs { cudaSupport = true; }).cudaPackages_13_0.pkgs;
in
pkgs // {
  python314Packages = pkgs.python314Packages // {
    inherit (withCuda.python314Packages) torch torchvision torchaudio;
  };
}
