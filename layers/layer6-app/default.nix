# The program, its entry point, and how a container runs it.
{ pkgs, python, files, ... }:
let
  program = import ./program.nix { inherit pkgs python files; };
  runtime = import ./runtime {
    inherit pkgs python;
    program = "${program}/share/comfyui";
    port = 8188;
    volume = "/data";
  };
in
{
  programs = [ runtime.package ];

  # Everything together: versions that agree, and modules that load.
  check = ''
    python -m pip check
    python ${./no_distribution_twice.py}
    python ${./import_all.py}
  '';

  inherit (runtime) config;
}
