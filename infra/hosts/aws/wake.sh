#!/usr/bin/env bash
# wake.sh: starts an instance that has stopped, on the machine that runs pulumi. Where there is no capacity for its type in its
# zone, an instance on demand becomes one of the next type of the list; a spot instance keeps its own.
# stdin {protocol, region, instance, types}; stdout {"started", "type"}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/aws/cli.sh"

need jq
read_request .region .instance .types
need_aws "$(asked .region)"
instance=$(asked .instance)

# look: the instance's state, type and market into STATE_NAME, TYPE and MARKET.
look() {
  local found
  found=$(call ec2 describe-instances --instance-ids "$instance" --query 'Reservations[0].Instances[0].{state: State.Name, type: InstanceType, market: InstanceLifecycle}') ||
    { refused InvalidInstanceID.NotFound && gone "no such instance"; give_up "tell about $instance"; }
  STATE_NAME=$(jq -r .state <<<"$found")
  TYPE=$(jq -r .type <<<"$found")
  MARKET=$(jq -r '.market // "on-demand"' <<<"$found")
}

gone() {
  fail AWS_HOST_GONE "the host $instance is gone" "run 'pulumi up --refresh': it makes another one, with the same address and the same disk" "$1" "running or stopped"
}

# wait_until STATE: at most 10 minutes.
wait_until() {
  call ec2 wait "instance-$1" --instance-ids "$instance" || fail AWS_HOST_SLOW "the host $instance is not $1 after 10 minutes" \
    "look at it in the EC2 console, then run 'pulumi up' again" "$(problem_text)"
}

# start_as TYPE: false where there is no capacity.
start_as() {
  if [ "$1" != "$TYPE" ]; then
    call ec2 modify-instance-attribute --instance-id "$instance" --instance-type "Value=$1" >&2 || give_up "make $instance a $1"
    TYPE=$1
  fi
  say "starting $instance, a $1"
  call ec2 start-instances --instance-ids "$instance" >/dev/null && return 0
  refused InsufficientInstanceCapacity InsufficientHostCapacity Unsupported || give_up "start $instance"
  say "no capacity for $1 now: $(problem_text)"
  return 1
}

start() {
  local type types
  mapfile -t types < <(jq -r --arg type "$TYPE" '[$type] + (.types - [$type]) | .[]' <<<"$REQUEST")
  # A spot request is for one type.
  [ "$MARKET" = on-demand ] || types=("$TYPE")
  for type in "${types[@]}"; do
    if start_as "$type"; then return 0; fi
  done
  fail AWS_CAPACITY "AWS has no capacity for $instance in its zone now" "try again later, or list more types (buildHost.types)" "${types[*]}"
}

look
case $STATE_NAME in
  running)
    jq -cn --arg type "$TYPE" '{started: false, type: $type}'
    exit 0
    ;;
  pending) ;;
  stopped) start ;;
  stopping)
    say "$instance is stopping; it is started as soon as it has"
    wait_until stopped
    start
    ;;
  *) gone "$STATE_NAME" ;;
esac
wait_until running
jq -cn --arg type "$TYPE" '{started: true, type: $type}'
