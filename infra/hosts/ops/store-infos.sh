#!/usr/bin/env bash
# store-infos.sh: what this host's store says of paths, as far as they are there.
# stdin: {paths: names of store paths}; stdout: {"infos": texts of .narinfo files}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/nix.sh"
. "$HOSTS/path-infos.sh"

need jq nix
read_request .paths
jq -r '.paths[] | "/nix/store/\(.)"' <<<"$REQUEST" | nix path-info --json --stdin | as_path_infos | jq -Rs '{infos: .}'
