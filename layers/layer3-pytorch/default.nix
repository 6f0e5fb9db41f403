# The tensor library and its family.
{ python, torch, below, ... }:
{
  site = python.site { name = "layer3-pytorch-site"; inherit (torch) files packages; inherit below; };
}
