# shellcheck shell=bash
# comfyui [OPTION...]: the program with this image's Python, the first on PATH.
set -euo pipefail
exec python @program@/main.py "$@"
