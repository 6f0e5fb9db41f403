# shellcheck shell=bash
# A cache in a bucket, as its readers see it. Sourced by held.sh, which says what each function is for.

# shellcheck source=held-nix-serve.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/held-nix-serve.sh"
# shellcheck disable=SC2034
HELD_TOOLS=()
