#!/usr/bin/env bash
# watch.sh: runs each minute on a host on EC2. Stops the host after its idle minutes, and tells CloudWatch what it does.
# Settings: /etc/comfyui/instance.json, written by bootstrap/instance.sh, which says what each member means.
set -euo pipefail
settings=${COMFYUI_INSTANCE:-/etc/comfyui/instance.json}
state=${RUNTIME_DIRECTORY:-/run/comfyui-watch}

ask() {
  jq -r "$1 // empty" "$settings"
}

# sessions: how many there are, over SSH and by Systems Manager (a worker each; the kernel keeps 15 characters of its name).
sessions() {
  {
    ss -Htn state established '( sport = :22 )'
    pgrep -x ssm-session-wor || [ $? -eq 1 ]
  } | wc -l
}

# building: a build (Nix's own build users), or a command of ours that outlives its session.
building() {
  if getent group nixbld >/dev/null && pgrep -G nixbld >/dev/null; then return 0; fi
  if id -u comfyui >/dev/null 2>&1; then
    # A user's service manager stays for some seconds.
    pgrep -u comfyui -l | grep -q -v -E ' (systemd|\(sd-pam\))$' && return 0
  fi
  return 1
}

# idle_minutes SESSIONS BUILDING: since the last run that found work, or since the boot.
idle_minutes() {
  if [ ! -e "$state/busy" ] || [ "$1" -gt 0 ] || [ "$2" = 1 ]; then touch "$state/busy"; fi
  printf '%s' $((($(date +%s) - $(stat -c %Y "$state/busy")) / 60))
}

# metric NAME VALUE UNIT: as the AWS CLI reads it.
metric() {
  printf 'MetricName=%s,Dimensions=[{Name=Role,Value=%s}],Value=%s,Unit=%s' "$1" "$(ask .hostRole)" "$2" "$3"
}

# send_metrics IDLE SESSIONS BUILDING: every fifth minute, those that the settings want.
send_metrics() {
  local metrics=() used
  [ $(($(date +%s) / 60 % 5)) -eq 0 ] || [ -n "${COMFYUI_METRICS_NOW:-}" ] || return 0
  if [ "$(ask .metrics.disk)" = true ]; then
    used=$(df --output=pcent "$(ask .disk)" | tail -n 1 | tr -d ' %')
    metrics+=("$(metric DiskUsed "$used" Percent)")
  fi
  if [ "$(ask .metrics.work)" = true ]; then
    metrics+=("$(metric IdleMinutes "$1" Count)" "$(metric Sessions "$2" Count)" "$(metric Building "$3" Count)")
  fi
  [ "${#metrics[@]}" -gt 0 ] || return 0
  timeout --kill-after=1 20 aws cloudwatch put-metric-data --region "$(ask .region)" --namespace "$(ask .namespace)" --metric-data "${metrics[@]}" ||
    printf 'the metrics were not sent; the next time is in five minutes\n' >&2
}

sessions=$(sessions)
building=0
if building; then building=1; fi
idle=$(idle_minutes "$sessions" "$building")
send_metrics "$idle" "$sessions" "$building"
limit=$(ask .idleMinutes)
if [ "${limit:-0}" -gt 0 ] && [ "$idle" -ge "$limit" ]; then
  printf 'idle for %s minutes: this host stops; pulumi up starts it again\n' "$idle" >&2
  systemctl poweroff
fi
