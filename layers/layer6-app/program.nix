# ComfyUI as its lock has it; the small program of this folder where the flavor locks none.
{ pkgs, python, files }:
let
  locked = builtins.filter (file: file.name == "comfyui") (files.locked "layer6-app.lock.json");
in
pkgs.runCommand "comfyui-program"
{
  src = if locked == [ ] then ./app else files.fetch (builtins.head locked);
  python = python.python314.interpreter;
  inherit (python) compile;
} "source ${./program.sh}"
