# shellcheck shell=bash
# Builder: nothing, once `command` has succeeded with `environment` and nothing else of the build's own environment.
set -euo pipefail
# shellcheck disable=SC2154  # set by the derivation
: "$out" "$command" "$environment"
eval "command_words=($command)"
eval "environment_words=($environment)"
echo "running $command" >&2
# shellcheck disable=SC2154
(cd "$TMPDIR" && env -i "${environment_words[@]}" HOME="$TMPDIR" TMPDIR="$TMPDIR" PYTHONDONTWRITEBYTECODE=1 "${command_words[@]}") >&2
touch "$out"
