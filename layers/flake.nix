{
  description = "ComfyUI's container image as seven Nix layers";

  outputs = inputs: import ./lib/outputs.nix { root = ./.; inherit inputs; };
}
