# shellcheck shell=bash
# Shared by the roles. A bootstrap's text is SETTINGS (JSON), messages.sh, this file and one role's file, piped into a root
# shell: `ssh root@HOST bash -s`, or given as a cloud's user data. Nothing happens before the role's last line was read, so
# a cut connection leaves nothing half done; a run that was killed is continued by the next; one that is done changes nothing.
set -euo pipefail

# setting FILTER: one value of the settings as text; nothing where it is null. Standard input, so that no secret is an argument.
setting() {
  # shellcheck disable=SC2153  # the text's first part
  jq -r "$1 // empty" <<<"$SETTINGS"
}

# systemd_runs: false in a container: units are then installed and enabled, and not started.
systemd_runs() {
  [ -d /run/systemd/system ]
}

check_host() {
  [ "$(id -u)" -eq 0 ] || fail BOOTSTRAP_NOT_ROOT "only root can set up a host" "pipe it into 'sudo bash -s'" "user $(id -un)" root
  local ID='' VERSION_ID='' PRETTY_NAME=''
  # shellcheck source=/dev/null
  [ ! -r /etc/os-release ] || . /etc/os-release
  case $ID-$VERSION_ID in
    debian-13 | ubuntu-24.04) ;;
    *) fail BOOTSTRAP_SYSTEM "this host runs a system that was never tried" "use a host with Debian 13 or Ubuntu 24.04" \
      "${PRETTY_NAME:-$(uname -s)}" "Debian 13 or Ubuntu 24.04" ;;
  esac
}

export DEBIAN_FRONTEND=noninteractive

# apt_get ARG...: what it says goes to a log, whose end is shown where it failed.
apt_get() {
  local log=/var/log/comfyui-apt.log
  apt-get -y -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@" >>"$log" 2>&1 ||
    fail BOOTSTRAP_PACKAGES "apt-get $1 failed: $(tail -n 3 "$log" | tr '\n' ' ')" "look into $log, then run this again"
}

# packages NAME...: installs those that are not there.
packages() {
  local name missing=() broken
  for name in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || [ $? -eq 1 ])" = installed ] || missing+=("$name")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  say "installing ${missing[*]}"
  # What a killed run left half installed. What it was unpacking at that moment is only mended by another unpacking.
  broken=$(dpkg-query -W -f '${db:Status-Eflag} ${Package}\n' | sed -n 's/^reinstreq //p')
  dpkg --configure -a --force-confold >&2 || [ -n "$broken" ]
  apt_get update
  # shellcheck disable=SC2086  # several words
  apt_get install --no-install-recommends --reinstall "${missing[@]}" $broken
}

# put PATH MODE OWNER:GROUP CONTENT: writes the file whole, where it is not so already. What a killed run leaves is hidden: some
# folders are read whole, and a former key would stay.
put() {
  local new
  mkdir -p -- "$(dirname -- "$1")"
  new=$(mktemp -- "$(dirname -- "$1")/.new.XXXXXX")
  [ -z "$4" ] || printf '%s\n' "$4" >"$new"
  chown "$3" "$new"
  chmod "$2" "$new"
  if [ -e "$1" ] && cmp -s "$1" "$new" && [ "$(stat -c '%a %U:%G' "$1")" = "$(stat -c '%a %U:%G' "$new")" ]; then
    rm -f "$new"
  else
    mv -f "$new" "$1"
    say "wrote $1"
  fi
}

# service NAME FILE...: read by systemd, enabled, and running with what these files say now: started anew where one is newer
# than its start, so that also a run that was killed in between is made good.
service() {
  local name=$1 file started
  shift
  systemd-analyze verify --man=no "$name" >&2 || fail BOOTSTRAP_UNIT "systemd does not take the unit $name" "look at the line above and at 'systemctl cat $name'"
  if ! systemd_runs; then
    SYSTEMD_OFFLINE=1 systemctl enable --quiet "$name"
    return
  fi
  systemctl daemon-reload
  systemctl enable --quiet --now "$name" || fail BOOTSTRAP_UNIT "$name does not start" "look at 'journalctl -u $name'"
  started=$(date -d "$(TZ=UTC LC_ALL=C systemctl show --value --property ActiveEnterTimestamp "$name")" +%s)
  for file in "$@"; do
    [ "$(stat -c %Y "$file")" -lt "$started" ] || { systemctl restart "$name" && return; }
  done
}

# account NAME [OPTION...]: a user without a password; the options are those of useradd.
account() {
  local name=$1
  shift
  id -u "$name" >/dev/null 2>&1 || useradd --user-group --password '*' "$@" "$name"
}

# member USER GROUP
member() {
  id -nG "$1" | tr ' ' '\n' | grep -qxF "$2" || usermod --append --groups "$2" "$1"
}

# login_keys USER KEYS: who may log in as USER, one public key a line; only root may change it.
login_keys() {
  put "/etc/ssh/comfyui/$1" 644 root:root "$(sed -nE '/^(ssh|ecdsa|sk)-/p' <<<"$2" | LC_ALL=C sort -u)"
}

# admin_keys: the keys of the person who runs this, without those that are only there to refuse a login as root.
admin_keys() {
  local home
  home=$(getent passwd "${SUDO_USER:-root}" | cut -d : -f 6)
  [ ! -e "$home/.ssh/authorized_keys" ] || cat "$home/.ssh/authorized_keys"
}

# sshd_settings MATCH: no passwords for anyone, our accounts by root's key files; checked before sshd reads it. Only what makes
# it stricter: these lines come before the host's own, and of two the first counts.
sshd_settings() {
  local settings="# Written by the bootstrap of comfyui.
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitEmptyPasswords no
X11Forwarding no
$1
Match all" check
  mkdir -p /run/sshd
  # Before sshd's own file, as that includes it.
  check=$(mktemp)
  printf '%s\n' "$settings" | cat - /etc/ssh/sshd_config >"$check"
  sshd -t -f "$check" ||
    fail BOOTSTRAP_SSHD "sshd does not take its new settings, so it keeps the old ones" "look above and into /etc/ssh/sshd_config"
  rm "$check"
  put /etc/ssh/sshd_config.d/10-comfyui.conf 644 root:root "$settings"
  if systemd_runs; then
    systemctl try-reload-or-restart ssh.service
  elif [ -s /run/sshd.pid ]; then
    kill -HUP "$(cat /run/sshd.pid)"
  fi
}

# volume DEVICE: /nix on a disk of its own. Only an empty disk is formatted; one with a store of ours keeps it.
volume() {
  local device=$1 label=comfyui-nix found uuid
  packages e2fsprogs
  # A cloud attaches it while the host starts.
  for _ in $(seq 60); do [ ! -e "$device" ] || break; sleep 1; done
  [ -b "$device" ] || fail BOOTSTRAP_VOLUME_MISSING "there is no disk $device for /nix" "attach it, or correct the name" "$(lsblk -dno NAME | xargs)" "$device"
  if ! mountpoint -q /nix && [ -n "$(ls -A /nix/store 2>/dev/null)" ]; then
    fail BOOTSTRAP_STORE_EXISTS "/nix has a store already, which a disk mounted over it would hide" "move it to the disk, or leave the volume out"
  fi
  found=$(blkid -p -o export "$device" 2>/dev/null || [ $? -eq 2 ])
  if [ -z "$found" ] && cmp -s -n 1048576 "$device" /dev/zero; then
    say "formatting $device, which is empty"
    mkfs.ext4 -q -m 1 -L "$label" "$device"
    found=$(blkid -p -o export "$device")
  fi
  grep -qxF "LABEL=$label" <<<"$found" ||
    fail BOOTSTRAP_VOLUME_TAKEN "$device holds something else and was left as it is" "give an empty disk, or empty this one: wipefs -a $device" \
      "$(grep -E '^(LABEL|P?T?TYPE)=' <<<"${found:-TYPE=unknown}" | xargs)" "an empty disk, or one with the label $label"
  uuid=$(sed -n 's/^UUID=//p' <<<"$found")
  mkdir -p /nix
  # nofail: without its disk the host still answers, and the Nix daemon, which wants the mount, does not start.
  put /etc/fstab 644 root:root "$(sed '\|[[:space:]]/nix[[:space:]]|d' /etc/fstab)
UUID=$uuid /nix ext4 noatime,nofail 0 2"
  if ! mountpoint -q /nix; then
    # By its device: udev, which would know the UUID, does not run everywhere.
    mount -o noatime "$device" /nix
  fi
}

# nix_conf LINES: the daemon's settings, the role's beside those that every role has.
nix_conf() {
  put /etc/nix/nix.conf 644 root:root "# Written by the bootstrap of comfyui.
build-users-group = nixbld
experimental-features = nix-command flakes
sandbox = true
sandbox-fallback = false
require-sigs = true
allowed-users = root @nix-users
$1"
}

# caches: nix.conf's lines about the caches of the settings.
caches() {
  setting '
    "substituters = " + ([.substituters[]?.url] | join(" ")),
    "trusted-public-keys = " + ([.substituters[]?.publicKey, .trustedPublicKeys[]?] | map(select(. != null)) | unique | join(" "))'
  printf '%s\n' 'connect-timeout = 10' 'fallback = true' 'narinfo-cache-positive-ttl = 0' 'narinfo-cache-negative-ttl = 0'
  # Ubuntu's Nix does not know it: there joins and generated texts are built where newer ones fetch them.
  ! nix_since 2.19 || printf '%s\n' 'always-allow-substitutes = true'
}

# nix_since VERSION: whether this host's Nix is that new.
nix_since() {
  local version
  version=$(nix --version)
  printf '%s\n%s\n' "$1" "${version##* }" | sort --version-sort --check=quiet
}

# passwords GROUP: what the caches of the settings want of a reader; the daemon reads them as root.
passwords() {
  put /etc/nix/netrc 640 "root:$1" "$(setting '.netrc // [] | .[] | "machine \(.machine) login \(.login) password \(.password)"')"
}

# install_nix: Nix's daemon from the distribution, with /nix on the volume of the settings, if there is one.
install_nix() {
  local device
  device=$(setting .volume)
  [ -z "$device" ] || volume "$device"
  # bash-static: /bin/sh in the distribution's sandbox.
  packages nix-bin nix-setup-systemd bash-static ca-certificates
  systemd-tmpfiles --create nix-daemon.conf
  [ -e /nix/var/nix/db/db.sqlite ] || nix-store --init
  nix_since 2.18 ||
    fail BOOTSTRAP_NIX_OLD "this distribution's Nix is too old" "use Debian 13 or Ubuntu 24.04" "$(nix --version)" "2.18 or newer"
}

# from_nixpkgs REFERENCE ATTR LINK: a package, as a root that Nix keeps, built already by cache.nixos.org.
from_nixpkgs() {
  nix build --max-jobs 0 --out-link "$3" --option substituters https://cache.nixos.org \
    --option trusted-public-keys cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY= "$1#$2"
}

# nix_daemon [FOLDER]: with nix.conf as it is now, and of the Nix in FOLDER where that is not the distribution's. Builds are
# unpacked on the disk of /nix: /tmp is often memory.
nix_daemon() {
  local drop_in=/etc/systemd/system/nix-daemon.service.d/comfyui.conf
  install -d -m 755 /nix/var/nix/builds
  put "$drop_in" 644 root:root "[Service]
Environment=TMPDIR=/nix/var/nix/builds${1:+
ExecStart=
ExecStart=@$1/bin/nix-daemon nix-daemon --daemon}"
  service nix-daemon.socket
  service nix-daemon.service "$drop_in" /etc/nix/nix.conf
}

# answer FIELD=VALUE... : the one JSON object on standard output.
answer() {
  jq -cn '[$ARGS.positional[] | capture("^(?<key>[^=]*)=(?<value>.*)$")] | from_entries | map_values(if . == "" then null else . end)' --args "$@" >&3
}

# only_role: one host, one role: two would write the same files. What an instance on EC2 has comes beside its role.
only_role() {
  local role file=/etc/comfyui-role
  role=$(setting .role)
  [ "$role" != instance ] || return 0
  [ ! -e "$file" ] || [ "$(cat "$file")" = "$role" ] ||
    fail BOOTSTRAP_ROLE "this host has another role already" "take another host, or remove $file" "$(cat "$file")" "$role"
  put "$file" 644 root:root "$role"
}

# bootstrap: the settings' role, alone on this host.
bootstrap() {
  exec 3>&1 1>&2 </dev/null
  check_host
  exec 9>/run/comfyui-bootstrap.lock
  flock 9
  packages jq openssh-server
  only_role
  role
}
