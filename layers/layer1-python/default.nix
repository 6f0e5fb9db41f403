# Python itself and the packages that everything above shares.
{ files, python, ... }:
{
  site = python.site { name = "layer1-python-site"; files = files.locked "layer1-python.lock.json"; };
  config = _: {
    Env.PYTHONUNBUFFERED = "1";
    Cmd = [ "python" ];
  };
}
