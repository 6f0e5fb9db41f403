# Fonts for nodes that write on pictures: by fontconfig (ffmpeg), and where they look for files themselves.
{ pkgs, fonts }:
let
  folder = pkgs.symlinkJoin { name = "fonts"; paths = map (name: pkgs.${name}) fonts; };
in
{
  programs = [ ];
  links."usr/share/fonts" = "${folder}/share/fonts";
  env.FONTCONFIG_FILE = "${pkgs.makeFontsConf { fontDirectories = [ folder ]; }}";
}
