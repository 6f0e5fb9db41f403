# The other Python packages, from wheels and, where there is none, built from source.
{ files, python, below, ... }:
{
  site = python.site {
    name = "layer4-deps-site";
    files = files.locked "layer4-deps.lock.json";
    inherit (files.chosen "layer4-deps.json") standsFor;
    inherit below;
  };
}
