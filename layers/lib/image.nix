# An image: an OCI layout whose blobs are links to the layers' blob files, so that it takes no room of its own.
{ pkgs, platform, compression, config }:
{ name, layers }:
let
  packed = builtins.filter (layer: layer ? blob) layers;
  merged = config.mergeAll (map (layer: layer.config) packed);
  # Text only: what the config names is in the blobs, which are all that the image is made from. Contents that a cache has
  # already handed over as blobs are not fetched for it.
  imageConfig = builtins.fromJSON (builtins.unsafeDiscardStringContext (builtins.toJSON (merged // {
    Env = config.environment (config.withPrograms (merged.Env or { }) (map (layer: layer.outPath) packed));
  })));
in
if packed == [ ] then throw "${name} has no image: none of its layers has a blob"
else pkgs.runCommand "${name}-image"
{
  # The config names store paths, some of which the build itself uses. In an output of its own, without references, it does not
  # tie the image to them: the image refers to its blobs, and to nothing else.
  outputs = [ "out" "config" ];
  __structuredAttrs = true;
  unsafeDiscardReferences.config = true;
  nativeBuildInputs = [ pkgs.python314 ];
  inherit (platform) oci;
  inherit imageConfig;
  layers = map (layer: { inherit (layer) attr; blob = layer.blob; }) packed;
  # No image of layers that do not work.
  checked = map (layer: layer.checks) packed;
  tag = "latest";
  makeImage = ./make_image.py;
} ''
  python3 -B -I "$makeImage"
''
