# The cache's keys in AWS Secrets Manager, which a build host on EC2 reads by its role. Sourced after cli.sh, never run.
# shellcheck shell=bash

# secret_refused NAME DONE: ends the script.
secret_refused() {
  fail AWS_CACHE_KEY "the key $1 cannot $2 Secrets Manager" \
    "look at that secret and at the role of this host's instance; 'pulumi up --refresh' makes both again as they were" "$(problem_text)"
}

# patiently ARGUMENT...: one request, for a minute: what a role is newly allowed it may do some seconds later.
patiently() {
  local tries=${COMFYUI_TRIES:-12}
  until call "$@"; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ] || refused ResourceNotFoundException; then return 1; fi
    sleep 5
  done
}

# fetch_secret NAME FILE: its value; false where there is none, be it for want of the secret.
fetch_secret() {
  if (umask 077 && patiently secretsmanager get-secret-value --secret-id "$1" --query SecretString | jq -rj 'rtrimstr("\n") + "\n"' >"$2"); then return; fi
  rm -f -- "$2"
  refused ResourceNotFoundException || secret_refused "$1" "be read from"
  return 1
}

# put_secret NAME FILE: the file's content as its value.
put_secret() {
  patiently secretsmanager put-secret-value --secret-id "$1" --secret-string "file://$2" >/dev/null || secret_refused "$1" "be written to"
}
