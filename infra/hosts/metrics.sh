# What CloudWatch is told of a layer, on a host on EC2 whose stack wants it. Sourced, never run.
# shellcheck shell=bash

# Written by bootstrap/instance.sh, which says what each member means; other hosts have none.
INSTANCE=${COMFYUI_INSTANCE:-/etc/comfyui/instance.json}

# report_layer ANSWER: the seconds, derivations built and paths fetched, and bytes of a layer that was not just found, from the
# file with its answer. False where they did not get there; nothing waits for them longer than ten seconds.
report_layer() {
  local metrics
  [ -r "$INSTANCE" ] && [ "$(jq -r '.metrics.work' "$INSTANCE")" = true ] || return 0
  [ "$(jq '.built + .substituted' "$1")" -gt 0 ] || return 0
  metrics=$(jq -c '. as {$layer} | [
    {MetricName: "Seconds", Value: .seconds, Unit: "Seconds"},
    {MetricName: "Built", Value: .built, Unit: "Count"},
    {MetricName: "Substituted", Value: .substituted, Unit: "Count"},
    {MetricName: "Bytes", Value: ([.blobs[].size] | add // 0), Unit: "Bytes"}
  ] | map(. + {Dimensions: [{Name: "Layer", Value: $layer}]})' "$1")
  AWS_MAX_ATTEMPTS=1 timeout --kill-after=1 10 aws cloudwatch put-metric-data --region "$(jq -r .region "$INSTANCE")" \
    --namespace "$(jq -r .namespace "$INSTANCE")" --metric-data "$metrics" --cli-connect-timeout 3 --cli-read-timeout 5 >&2 9>&-
}
