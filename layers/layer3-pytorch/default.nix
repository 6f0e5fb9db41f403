# The tensor library and its family.
{ files, python, torch, config, below, ... }:
let
  # null, or where in site-packages the wheels have CUDA's libraries: `libraries` lists the folders, `link` files in them that
  # compilers are told of by a name without version.
  chosen = (files.chosen "layer3-pytorch.json").cuda;
  cuda = if chosen == null || torch.files == [ ] then { libraries = [ ]; link = [ ]; } else chosen;
  packages = python.site { name = "layer3-pytorch-site"; inherit (torch) files packages; inherit below; };
  inSite = path: "${packages}/${python.sitePackages}/${path}";
  unversioned = path: builtins.head (builtins.match ".*/([^/]+\\.so)\\.[^/]*" path);
  driver = (config.mergeAll (map (layer: layer.config) below)).Env.LD_LIBRARY_PATH;
in
{
  site = packages;
  files = builtins.listToAttrs (map (path: { name = "lib/${unversioned path}"; value = inSite path; }) cuda.link);
  config = self: {
    Env = if cuda.libraries == [ ] then { } else {
      # For what is opened by its bare name, as libnvrtc by nodes and cuDNN by onnxruntime. The driver's libraries go first.
      LD_LIBRARY_PATH = builtins.concatStringsSep ":" ([ driver ] ++ map inSite cuda.libraries);
      # For kernels that are compiled at run time, which PyTorch links against libcudart.
      LIBRARY_PATH = "${self}/lib";
    };
  };
}
