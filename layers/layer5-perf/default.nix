# Native modules that make it fast.
{ files, python, below, ... }:
{
  site = python.site { name = "layer5-perf-site"; files = files.locked "layer5-perf.lock.json"; inherit below; };
}
