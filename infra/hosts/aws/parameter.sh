#!/usr/bin/env bash
# parameter.sh: the AMI that a public parameter names now.
# stdin {protocol, region, name}; stdout {"id"}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/aws/cli.sh"

need jq
read_request .region .name
need_aws "$(asked .region)"
name=$(asked .name)
value=$(call ssm get-parameter --name "$name" --query Parameter.Value) || give_up "tell about the parameter $name"
jq -c '{id: .}' <<<"$value"
