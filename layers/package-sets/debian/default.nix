# The narrow part of nixpkgs that the layers use, under nixpkgs' names, from Debian's packages and PyPI's wheels: builds in
# seconds and offline. Every file comes from the locks; `npm run setup` puts them into the store before anything is built.
{ system, platform, ... }:
let
  files = import ./files.nix { inherit system; };
  stage0 = import ./stage0.nix { inherit system platform files; };
  deb = import ./deb.nix { inherit platform files stage0; };
  libraries = import ./libraries.nix { inherit platform files stage0 deb; };
  programs = import ./programs.nix { inherit deb libraries; };
  builders = import ./builders.nix { inherit system programs libraries; };
  python = import ./python.nix { inherit files stage0 libraries platform; };
  data = import ./data.nix { inherit files stage0; };
in
libraries // programs // builders // python // data // files.fetchers // {
  inherit (stage0) patchelf;
}
