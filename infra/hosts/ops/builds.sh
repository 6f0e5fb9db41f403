#!/usr/bin/env bash
# builds.sh: the runs of layers and image, oldest first, and what is being built now.
# stdin {protocol, flavor, names}, stdout {"runs": [...], "running": [...]}: infra/ops/builds/runs.ts
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/holders.sh"

need jq
read_request .flavor .names
history=$STATE/history/$(asked .flavor)
going=$(for name in $(asked_running); do run_of "$name" '{name, log, startedAt: (.started | floor | todate)} | tojson'; done | jq -cs .)
for name in $(jq -r '.names[]' <<<"$REQUEST"); do
  [ ! -e "$history/$name.jsonl" ] || cat -- "$history/$name.jsonl"
done | jq -cn --argjson running "$going" '{runs: [inputs], running: $running}'
