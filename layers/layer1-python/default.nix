# Python itself and the packages that everything above shares: from the package set, by attribute, and from locked files.
{ files, python, below, ... }:
{
  site = python.site {
    name = "layer1-python-site";
    files = files.locked "layer1-python.lock.json";
    inherit (files.chosen "layer1-python.json") packages;
    inherit below;
  };
  config = _: {
    Env.PYTHONUNBUFFERED = "1";
    Cmd = [ "python" ];
  };
}
