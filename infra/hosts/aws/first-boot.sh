#!/usr/bin/env bash
# first-boot.sh REGION SECRET: what cloud-init runs on a new instance, once: fetches the SSH host key, then starts the SSH
# server, which was held until now. All else is done over SSH. What it writes is in the instance's console output.
set -euo pipefail
export AWS_DEFAULT_REGION=$1 AWS_MAX_ATTEMPTS=5 AWS_PAGER=
secret=$2
key=${COMFYUI_SSH_DIR:-/etc/ssh}/ssh_host_ed25519_key

fail() {
  printf 'error[%s]: %s\n  found:    %s\n  fix:      %s\n' "$1" "$2" "$3" "$4" >&2
  exit 1
}

# Debian has it as a package; AWS's own images have it already.
install_cli() {
  apt-get -y -qq -o DPkg::Lock::Timeout=300 -o APT::Update::Error-Mode=any update >&2 &&
    DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends awscli >&2
}

# The host's address is bound to it only when it runs: until then nothing can be fetched.
tries=${COMFYUI_TRIES:-60}
until command -v aws >/dev/null || install_cli; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || fail AWS_CLI_MISSING "this image has no AWS CLI, and none can be installed" "$(uname -v)" "use Debian 13 or AWS's Deep Learning image (buildHost.ami)"
  sleep 10
done

# A new role takes some seconds until it may do anything.
tries=${COMFYUI_TRIES:-30}
until text=$(aws secretsmanager get-secret-value --secret-id "$secret" --query SecretString --output text 2>/tmp/comfyui-secret.log); do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || fail AWS_HOST_KEY "the SSH host key cannot be read from Secrets Manager" "$(tail -n 1 /tmp/comfyui-secret.log)" \
    "look at the secret $secret and at the instance's role; then terminate the instance and run 'pulumi up --refresh'"
  sleep 10
done

umask 077
printf '%s\n' "$text" >"$key.new"
ssh-keygen -y -f "$key.new" >"$key.pub.new" </dev/null ||
  fail AWS_HOST_KEY "the secret holds no SSH private key" "$secret" \
    "have the stack write it again: pulumi up --replace '**-ec2*-key-version'; then terminate the instance and run 'pulumi up --refresh'"
chmod 644 "$key.pub.new"
mv -f "$key.pub.new" "$key.pub"
mv -f "$key.new" "$key"

systemctl unmask --runtime ssh.service ssh.socket
# Ubuntu starts the server by its socket, Debian does not.
if systemctl is-enabled --quiet ssh.socket; then systemctl start ssh.socket; else systemctl start ssh.service; fi
