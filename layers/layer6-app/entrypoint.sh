# shellcheck shell=bash
# The image's entry point: options (or nothing) start ComfyUI, reachable from outside the container; anything else is a command
# to run instead. CLI_ARGS holds more options.
set -euo pipefail
case ${1:-} in
  '' | -*)
    read -ra more <<< "${CLI_ARGS:-}"
    exec comfyui --listen 0.0.0.0 --port 8188 --base-directory /data "${more[@]}" "$@"
    ;;
  *) exec "$@" ;;
esac
