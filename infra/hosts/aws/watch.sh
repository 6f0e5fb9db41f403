#!/usr/bin/env bash
# watch.sh: runs each minute on a host on EC2. Stops the host after its idle minutes, and tells CloudWatch how full its disk is.
# Settings: /etc/comfyui/instance.json, written by bootstrap/instance.sh, which says what each member means.
set -euo pipefail
settings=${COMFYUI_INSTANCE:-/etc/comfyui/instance.json}
state=${RUNTIME_DIRECTORY:-/run/comfyui-watch}

ask() {
  jq -r "$1 // empty" "$settings"
}

# busy: an SSH session, a build (Nix's own build users), or a command of ours that outlives its session.
busy() {
  [ -z "$(ss -Htn state established '( sport = :22 )')" ] || return 0
  if getent group nixbld >/dev/null && pgrep -G nixbld >/dev/null; then return 0; fi
  if id -u comfyui >/dev/null 2>&1; then
    # A user's service manager stays for some seconds.
    pgrep -u comfyui -l | grep -q -v -E ' (systemd|\(sd-pam\))$' && return 0
  fi
  return 1
}

# idle_minutes: since the last run that found work, or since the boot.
idle_minutes() {
  if [ ! -e "$state/busy" ] || busy; then touch "$state/busy"; fi
  printf '%s' $((($(date +%s) - $(stat -c %Y "$state/busy")) / 60))
}

# send_metrics IDLE: every fifth minute.
send_metrics() {
  local namespace role used
  namespace=$(ask .namespace)
  [ -n "$namespace" ] || return 0
  [ $(($(date +%s) / 60 % 5)) -eq 0 ] || [ -n "${COMFYUI_METRICS_NOW:-}" ] || return 0
  role=$(ask .hostRole)
  used=$(df --output=pcent "$(ask .disk)" | tail -n 1 | tr -d ' %')
  aws cloudwatch put-metric-data --region "$(ask .region)" --namespace "$namespace" --metric-data \
    "MetricName=DiskUsed,Dimensions=[{Name=Role,Value=$role}],Value=$used,Unit=Percent" \
    "MetricName=IdleMinutes,Dimensions=[{Name=Role,Value=$role}],Value=$1,Unit=Count" ||
    printf 'the metrics were not sent; the next time is in five minutes\n' >&2
}

idle=$(idle_minutes)
send_metrics "$idle"
limit=$(ask .idleMinutes)
if [ "${limit:-0}" -gt 0 ] && [ "$idle" -ge "$limit" ]; then
  printf 'idle for %s minutes: this host stops; pulumi up starts it again\n' "$idle" >&2
  systemctl poweroff
fi
