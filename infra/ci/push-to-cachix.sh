#!/usr/bin/env bash
# push-to-cachix.sh FOLDER: sends every store path that the binary cache in FOLDER has to the Cachix cache CACHIX_CACHE.
# The paths are in this machine's store too: it has just built them. The environment has CACHIX_AUTH_TOKEN, which cachix reads.
set -euo pipefail
# shellcheck source=../hosts/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../hosts/common.sh"

for name in CACHIX_CACHE CACHIX_AUTH_TOKEN; do
  [ -n "${!name:-}" ] || fail CI_ENVIRONMENT "$name is not set" "set it in the step's 'env', as .github/workflows does; the token is a secret of the repository"
done
need nix
mapfile -t paths < <(sed -n 's/^StorePath: //p' "$1"/*.narinfo)
[ "${#paths[@]}" -gt 0 ] || fail CI_CACHE_EMPTY "there is nothing to push" "run 'npm run quickstart' first" "$1"
say "pushing ${#paths[@]} store paths to the Cachix cache $CACHIX_CACHE"
# cachix is that of the nixpkgs which the layers are locked to. The environment's own settings for builds have no substituter;
# without them Nix asks nixpkgs' cache.
printf '%s\n' "${paths[@]}" |
  NIX_CONFIG=$'experimental-features = nix-command flakes\nflake-registry =\nbuild-users-group =' \
    nix shell --inputs-from "path:$ROOT/layers" nixpkgs#cachix --command cachix push "$CACHIX_CACHE"
