# How a container runs the program: entry point, environment on the volume, health check. Everything but `comfyui` itself is Python
# of the standard library, run without site packages: it starts in a few milliseconds and depends on nothing it has to check.
#
#   program  the folder of main.py
#   port     where it listens
#   volume   the folder for all that it writes
#   options  ComfyUI's, before those of the user
{ pkgs, python, program, port, volume, options ? [ ] }:
let
  venv = "${volume}/venv";
  arguments = [ "--listen" "0.0.0.0" "--port" (toString port) "--base-directory" volume ] ++ options;
  modules = builtins.path {
    path = ./.;
    name = "comfyui-runtime-source";
    filter = path: _: builtins.match ".*\\.(py|yaml)" path != null;
  };
in
{
  package = pkgs.runCommand "comfyui-runtime"
    {
      inherit program modules;
      inherit (pkgs) bash;
      inherit (python) compile;
      python = python.python314.interpreter;
      comfyui = ./comfyui.sh;
      # JSON of words is Python of the same words.
      image = "start.Image(program=${builtins.toJSON "${program}/main.py"}, options=${builtins.toJSON arguments})";
    } ''
    mkdir -p "$out/bin" "$out/share"
    cp -r "$modules" "$out/share/runtime"
    chmod -R u+w "$out/share/runtime"
    "$python" -B -I -S "$compile" "$out" "$out/share/runtime"

    { echo "#!$bash/bin/bash"; sed "s,@program@,$program,g" "$comfyui"; } > "$out/bin/comfyui"
    command() {
      printf '#!%s -BIS\nimport sys\nsys.path.insert(0, "%s/share/runtime")\n%s\n' "$python" "$out" "$2" > "$out/bin/$1"
    }
    command entrypoint "import start; start.main($image, sys.argv[1:])"
    command comfyui-health "import health; health.main('$program/main.py')"
    chmod 755 "$out"/bin/*
  '';

  config = self: {
    Entrypoint = [ "${self}/bin/entrypoint" ];
    Cmd = [ ];
    Env = {
      # Any user may start it: torch and others ask for the name, which no passwd file has then.
      USER = "comfyui";
      LOGNAME = "comfyui";
      # Caches of models and of compiled kernels stay. No PYTHONPYCACHEPREFIX: it would hide the image's own byte code.
      HOME = "${volume}/home";
      COMFYUI_VENV = venv;
      VIRTUAL_ENV = venv;
      # Before the layers' programs.
      PATH = "${venv}/bin";
      PIP_DISABLE_PIP_VERSION_CHECK = "1";
      PIP_ROOT_USER_ACTION = "ignore";
      UV_PYTHON_DOWNLOADS = "never";
    };
    WorkingDir = volume;
    ExposedPorts."${toString port}/tcp" = { };
    Volumes.${volume} = { };
    # Times in nanoseconds.
    Healthcheck = {
      Test = [ "CMD" "${self}/bin/comfyui-health" ];
      Interval = 30000000000;
      Timeout = 10000000000;
      StartPeriod = 120000000000;
      Retries = 3;
    };
  };
}
