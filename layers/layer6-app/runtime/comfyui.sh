# shellcheck shell=bash
# comfyui [OPTION...]: the program, with the Python of the volume's environment (in a container), else the one beside this
# command; both see all layers.
set -euo pipefail
python=${COMFYUI_VENV:+$COMFYUI_VENV/bin/python}
[ -x "$python" ] || python=${BASH_SOURCE[0]%/*}/python
[ -x "$python" ] || python=python
exec "$python" @program@/main.py "$@"
