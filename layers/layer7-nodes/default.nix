# Custom nodes: each repository as a folder, under the repository's own name, and the Python packages that they require.
{ pkgs, python, files, below, ... }:
let
  locked = files.locked "layer7-nodes.lock.json";
  isNode = file: file ? git;
  requirements = builtins.filter (file: !(isNode file)) locked;

  # https://host/owner/ComfyUI-Name.git -> ComfyUI-Name, which some nodes' web pages expect.
  withoutSuffix = name: let short = builtins.match "(.+)\\.git" name; in if short == null then name else builtins.head short;
  folderOf = file: withoutSuffix (builtins.head (builtins.match ".*/([^/]+)/*" file.git));

  nodes = pkgs.runCommand "comfyui-custom-nodes"
    {
      folders = map folderOf (builtins.filter isNode locked);
      sources = map files.fetch (builtins.filter isNode locked);
      inherit (python) compile;
      python = python.python314.interpreter;
    } "source ${./nodes.sh}";

  site = python.site { name = "layer7-nodes-site"; files = requirements; inherit below; };
  app = builtins.elemAt below (builtins.length below - 1);
in
{
  inherit site;

  # The program with the python of this layer, which sees what the nodes require.
  files."bin/comfyui" = "${app}/bin/comfyui";

  check = ''
    python -m pip check
    python ${./import_requirements.py} ${site}/${python.sitePackages}
  '';

  # Where the entry point has the program look for nodes, beside those on the volume.
  config = _: { Env.COMFYUI_NODES = "${nodes}"; };
}
