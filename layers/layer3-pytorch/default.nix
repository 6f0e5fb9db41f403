# The tensor library and its family.
{ files, python, below, ... }:
{
  site = python.site { name = "layer3-pytorch-site"; files = files.locked "layer3-pytorch.lock.json"; inherit below; };
}
