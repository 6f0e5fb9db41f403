# Where PyTorch comes from, as a flavor in layers.json says: what layer3-pytorch is made of.
{ files, settings }:
let
  sources = {
    # The locked wheels, and the CUDA libraries that they require.
    wheels = { files = files.locked "layer3-pytorch.lock.json"; packages = [ ]; };
    # The package set's own build, which is bound to CUDA's libraries of the package set. Of the lock nothing is used: what
    # PyTorch needs comes with it.
    nixpkgs = { files = [ ]; packages = [ "torch" "torchvision" "torchaudio" ]; };
  };
in
sources.${settings.torch or "wheels"}
