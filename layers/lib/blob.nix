# A layer's blob: the store paths of its contents' closure that no layer below has, as one compressed tar, or as several where
# the flavor has a blobLimit.
{ pkgs, settings, compression }:
{ attr, contents, below, root }:
pkgs.runCommand "${attr}-blob"
{
  # The blob must not keep references to what it packs: a cache can then hand it over without that.
  __structuredAttrs = true;
  unsafeDiscardReferences.out = true;
  exportReferencesGraph = { own = [ contents ]; }
    // (if below == [ ] then { } else { below = map (layer: layer.contents) below; });
  nativeBuildInputs = [ pkgs.python314 ];
  inherit attr compression root;
  blobLimit = settings.blobLimit or null;
  packBlob = ./pack_blob;
} ''
  # -B -I -S: the scripts of a build see nothing but Python's own library.
  python3 -B -I -S "$packBlob"
''
