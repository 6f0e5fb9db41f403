# The tensor library and its family.
{ files, python, ... }:
{
  site = python.site { name = "layer3-pytorch-site"; files = files.locked "layer3-pytorch.lock.json"; };
}
