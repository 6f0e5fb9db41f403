# Every downloaded Python package of the layers above, by file name: a build input, to be cached and inspected as one, and not
# part of the image.
{ files, torch, ... }:
{
  files = builtins.listToAttrs (map
    (file: { name = file.file; value = files.fetch file; })
    (torch.files ++ builtins.concatMap files.locked [ "layer4-deps.lock.json" "layer5-perf.lock.json" ]));
}
