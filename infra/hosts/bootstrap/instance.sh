# shellcheck shell=bash
# What a host on EC2 has beside its role: it stops itself when idle, sends metrics, logs in to ECR by its instance's role, and
# lets Systems Manager open sessions.
# Settings: {role: "instance", hostRole: name of its role, region, disk: folder whose disk is measured, namespace: null | of
# its metrics, metrics: {disk: how full that disk is, work: what it does, and each layer that it builds}, registry: null | host
# that comfyui logs in to, idleMinutes: 0 for never, gpu, sessions: null | flake reference of the nixpkgs that has the agent,
# docker: who uses the host's Docker, where somebody does}. WATCH holds aws/watch.sh.

# registry_login USER FILE: what USER runs asks the helper, and the helper asks AWS for a password of 12 hours; none is kept.
# FILE: the program's, below USER's home.
registry_login() {
  local registry file home logins='{}'
  registry=$(setting .registry)
  [ -n "$registry" ] || return 0
  packages amazon-ecr-credential-helper
  home=$(getent passwd "$1" | cut -d : -f 6)
  file=$home/$2
  install -d -o "$1" -g "$1" -m 700 "$home/${2%%/*}" "$(dirname -- "$file")"
  # Logins of other registries stay.
  [ ! -s "$file" ] || logins=$(cat "$file")
  put "$file" 600 "$1:$1" "$(jq --arg registry "$registry" '.credHelpers[$registry] = "ecr-login"' <<<"$logins")"
}

# docker_user: who tries the image with the host's Docker. It is root here by sudo, so the group gives it nothing more.
docker_user() {
  local user
  user=$(setting .docker)
  [ -n "$user" ] || return 0
  getent group docker >/dev/null ||
    fail VERIFY_DOCKER "this host is to try the image, and has no Docker" "choose an image that has it, such as AWS's Deep Learning image (buildHost.gpu or buildHost.ami)" "no group docker" "Docker, installed and running"
  member "$user" docker
  registry_login "$user" .docker/config.json
}

# watch: a timer; nothing runs between.
watch() {
  local units=/etc/systemd/system
  put /etc/comfyui/instance.json 644 root:root "$(jq 'del(.role)' <<<"$SETTINGS")"
  put /usr/local/lib/comfyui/watch.sh 755 root:root "$WATCH"
  put "$units/comfyui-watch.service" 644 root:root '[Unit]
Description=Stops this host when it is idle

[Service]
Type=oneshot
ExecStart=/usr/local/lib/comfyui/watch.sh
RuntimeDirectory=comfyui-watch
RuntimeDirectoryPreserve=yes'
  put "$units/comfyui-watch.timer" 644 root:root '[Unit]
Description=Each minute: is this host idle?

[Timer]
OnBootSec=1min
OnUnitActiveSec=1min
AccuracySec=5s

[Install]
WantedBy=timers.target'
  service comfyui-watch.timer "$units/comfyui-watch.timer"
}

# gpu_driver: CUDA 13 wants 580.
gpu_driver() {
  local version
  [ "$(setting .gpu)" = true ] || return 0
  version=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1) ||
    fail AWS_GPU_MISSING "this host has no NVIDIA GPU, or no driver for it" "choose a GPU type, and AWS's Deep Learning image (buildHost.ami)" "nvidia-smi does not run"
  printf '580\n%s\n' "$version" | sort --version-sort --check=quiet ||
    fail AWS_GPU_DRIVER "the image's NVIDIA driver is too old for CUDA 13" "choose a newer image (buildHost.ami)" "$version" "580 or newer"
}

# sshd_alive: a session whose other end is gone must not keep the host awake for hours.
sshd_alive() {
  put /etc/ssh/sshd_config.d/20-comfyui-alive.conf 644 root:root 'ClientAliveInterval 30
ClientAliveCountMax 6'
  sshd -t || fail BOOTSTRAP_SSHD "sshd does not take its new settings, so it keeps the old ones" "look at the line above and at /etc/ssh/sshd_config"
  if systemd_runs; then systemctl try-reload-or-restart ssh.service; fi
}

# session_agent: Systems Manager's agent, the way in where SSH fails. AWS's own images have it; elsewhere it is the one of the
# settings' nixpkgs, where it comes built from cache.nixos.org. It makes its user, ssm-user, with its first session.
session_agent() {
  local nixpkgs root=/nix/var/nix/gcroots/comfyui-session-agent unit=/etc/systemd/system/amazon-ssm-agent.service file
  nixpkgs=$(setting .sessions)
  [ -n "$nixpkgs" ] || return 0
  if [ -e /snap/amazon-ssm-agent ] || [ -x /usr/bin/amazon-ssm-agent ]; then return 0; fi
  from_nixpkgs "$nixpkgs" amazon-ssm-agent "$root" ||
    fail AWS_SESSION_AGENT "the agent of Systems Manager could not be had from nixpkgs" "see that this host reaches cache.nixos.org and GitHub, or set aws.sessions: false" "$nixpkgs"
  for file in amazon-ssm-agent.json seelog.xml; do
    put "/etc/amazon/ssm/$file" 644 root:root "$(cat "$root/etc/amazon/ssm/$file.template")"
  done
  # As the agent's own unit has it: sessions outlive its restart, and 194 says that it will not start again.
  put "$unit" 644 root:root "[Unit]
Description=Agent of AWS Systems Manager
Wants=network-online.target
After=network-online.target
RequiresMountsFor=/nix/store

[Service]
ExecStart=$(readlink -f "$root")/bin/amazon-ssm-agent
KillMode=process
Restart=always
RestartPreventExitStatus=194
RestartSec=90

[Install]
WantedBy=multi-user.target"
  service amazon-ssm-agent.service "$unit"
}

role() {
  gpu_driver
  command -v aws >/dev/null || packages awscli
  registry_login comfyui .config/containers/auth.json
  docker_user
  sshd_alive
  session_agent
  watch
  answer role=instance "hostRole=$(setting .hostRole)"
}

bootstrap
