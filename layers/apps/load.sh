# shellcheck shell=bash disable=SC2154
# Loads the whole image or, with a layer's name, an image of that layer and those below, into the Docker that `docker` talks
# to. Layers go as plain tars, which every Docker reads.
read_options load '[LAYER]' "$@"
[ "${#positional[@]}" -le 1 ] || usage load '[LAYER]'
layer=${positional[0]:-}

attribute=comfyui reference=comfyui:$flavor
if [ -n "$layer" ]; then
  if [[ " ${with_blob[*]} " != *" $layer "* ]]; then
    echo "error: $layer is no layer with a blob; these are: ${with_blob[*]}" >&2
    exit 1
  fi
  attribute=$layer.image reference=comfyui:$flavor-$layer
fi
command -v docker > /dev/null || { echo "error: there is no docker on PATH" >&2; exit 1; }

log=$(mktemp)
if ! image=$(nix_build "$log" "$attribute"); then
  cat "$log" >&2
  exit 1
fi
rm "$log"
python3 -I "$docker_archive" "$image" "$reference" | docker load >&2
echo "$reference"
