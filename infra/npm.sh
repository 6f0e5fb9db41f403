#!/usr/bin/env bash
# npm on a machine that has none, or no Node.js that is new enough: `bash infra/npm.sh run quickstart` is `npm run quickstart`,
# `bash infra/npm.sh test` is `npm test`.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
bash "$root/infra/setup.sh" --node >&2
PATH=$root/.local/bin:$PATH exec npm --prefix "$root" "$@"
