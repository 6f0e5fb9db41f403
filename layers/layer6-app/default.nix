# The program, its entry point, and how a container runs it.
{ pkgs, python, files, ... }:
let
  port = 8188;
  program = import ./program.nix { inherit pkgs python files; };
  launcher = pkgs.runCommand "comfyui-launcher"
    {
      inherit program;
      inherit (pkgs) bash;
      comfyui = ./comfyui.sh;
      entrypoint = ./entrypoint.sh;
    } ''
    mkdir -p "$out/bin"
    for name in comfyui entrypoint; do
      { echo "#!$bash/bin/bash"; sed "s,@program@,$program/share/comfyui,g" "''${!name}"; } > "$out/bin/$name"
      chmod 755 "$out/bin/$name"
    done
  '';
in
{
  programs = [ launcher ];

  # Everything together: versions that agree, and modules that load.
  check = ''
    python -m pip check
    python ${./no_distribution_twice.py}
    python ${./import_all.py}
  '';

  config = self: {
    Entrypoint = [ "${self}/bin/entrypoint" ];
    Cmd = [ ];
    ExposedPorts."${toString port}/tcp" = { };
    Volumes."/data" = { };
    # Nanoseconds.
    Healthcheck = {
      Test = [ "CMD" "${self}/bin/python" "-c" "import urllib.request as r; r.urlopen('http://127.0.0.1:${toString port}/system_stats', timeout=4)" ];
      Interval = 30000000000;
      Timeout = 5000000000;
      StartPeriod = 60000000000;
      Retries = 3;
    };
  };
}
