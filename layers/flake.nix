{
  description = "ComfyUI's container image as seven Nix layers";

  # Fetched by flavors on the package set `nixpkgs` alone. Another: --override-input nixpkgs URL
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs = inputs: import ./lib/outputs.nix { root = ./.; inherit inputs; };
}
