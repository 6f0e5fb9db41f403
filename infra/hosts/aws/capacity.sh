#!/usr/bin/env bash
# capacity.sh: chooses instance type and zone of a host, on the machine that runs pulumi, before the instance is made: the
# first of the list for which AWS has capacity. What is there already stays: a disk keeps its zone, an instance its type as
# long as it is listed.
# stdin {protocol, region, stack, role, market, image, candidates: [{type, zone, subnetId}]}; stdout {"type", "zone", "subnetId"}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/aws/cli.sh"

need jq
read_request .region .stack .role .market .image .candidates
need_aws "$(asked .region)"
market=$(asked .market)
image=$(asked .image)
filters=("Name=tag:comfyui:stack,Values=$(asked .stack)" "Name=tag:comfyui:role,Values=$(asked .role)")

volume=$(call ec2 describe-volumes --filters "${filters[@]}" Name=tag:comfyui:disk,Values=nix --query 'Volumes[0].AvailabilityZone') || give_up "tell about the stack's disks"
instance=$(call ec2 describe-instances --filters "${filters[@]}" Name=instance-state-name,Values=pending,running,stopping,stopped \
  --query 'Reservations[].Instances[] | [0].{type: InstanceType, zone: Placement.AvailabilityZone}') || give_up "tell about the stack's instances"

mapfile -t candidates < <(jq -c --argjson zone "$volume" --argjson instance "$instance" '
  [.candidates[] | select($zone == null or .zone == $zone)] |
  ([.[] | select($instance != null and .type == $instance.type and .zone == $instance.zone)] | first) as $kept |
  if $kept then $kept + {kept: true} else .[] end' <<<"$REQUEST")
[ "${#candidates[@]}" -gt 0 ] || fail AWS_ZONE_FIXED "the host's disk lies in a zone that is not listed" \
  "list that zone (aws.network); to move, make a snapshot of the disk and a new one from it in the other zone" "$volume" "$(jq -r '[.candidates[].zone] | unique | join(", ")' <<<"$REQUEST")"

chosen() {
  jq -c '{type, zone, subnetId}' <<<"$1"
  exit 0
}

# A reservation takes the capacity at once or fails at once. The instance that is made next runs in it; it ends by itself.
hold() {
  call ec2 create-capacity-reservation --instance-type "$1" --availability-zone "$2" --instance-platform Linux/UNIX --instance-count 1 \
    --instance-match-criteria open --end-date-type limited --end-date "$(date -u -d '+20 minutes' +%Y-%m-%dT%H:%M:%SZ)" \
    --tag-specifications "ResourceType=capacity-reservation,Tags=[{Key=comfyui:stack,Value=$(asked .stack)}]" >/dev/null
}

# Nothing holds spot capacity: an instance that starts and ends at once says that there is some.
try_spot() {
  local trial
  trial=$(call ec2 run-instances --image-id "$image" --instance-type "$1" --subnet-id "$2" --count 1 \
    --instance-market-options 'MarketType=spot,SpotOptions={SpotInstanceType=one-time}' \
    --tag-specifications 'ResourceType=instance,Tags=[{Key=comfyui:trial,Value=capacity}]' --query 'Instances[0].InstanceId') || return 1
  call ec2 terminate-instances --instance-ids "$(jq -r . <<<"$trial")" >/dev/null || give_up "end the trial instance $trial"
}

limits=()
for candidate in "${candidates[@]}"; do
  read -r type zone subnet kept < <(jq -r '"\(.type) \(.zone) \(.subnetId) \(.kept // false)"' <<<"$candidate")
  [ "$kept" = false ] || { say "$type in $zone is there already"; chosen "$candidate"; }
  if [ "$market" = spot ]; then
    if try_spot "$type" "$subnet"; then say "$type in $zone: spot capacity"; chosen "$candidate"; fi
  elif hold "$type" "$zone"; then
    say "$type in $zone: capacity held for 20 minutes"
    chosen "$candidate"
  fi
  say "$type in $zone: $(problem_text)"
  if refused VcpuLimitExceeded InstanceLimitExceeded MaxSpotInstanceCountExceeded; then
    limits+=("$type")
  elif ! refused InsufficientInstanceCapacity InsufficientHostCapacity UnfulfillableCapacity Unsupported SpotMaxPriceTooLow InsufficientFreeAddressesInSubnet; then
    give_up "say whether it has capacity for $type in $zone"
  fi
done
[ "${#limits[@]}" -lt "${#candidates[@]}" ] || fail AWS_QUOTA "this account may not run any of the listed types" \
  "ask for a higher quota (Service Quotas, EC2: running on-demand or spot instances of the family, counted in vCPU; new accounts often have 0 for G types)" "${limits[*]}"
fail AWS_CAPACITY "AWS has no capacity for any of the listed types and zones now" "try again later, or list more types or zones" "$(jq -r '"\(.type) in \(.zone)"' <<<"${candidates[*]}" | paste -sd ',')"
