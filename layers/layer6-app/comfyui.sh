# shellcheck shell=bash
# comfyui [OPTION...]: the program, with the Python beside this command, which sees all layers.
set -euo pipefail
python=${BASH_SOURCE[0]%/*}/python
[ -x "$python" ] || python=python
exec "$python" @program@/main.py "$@"
