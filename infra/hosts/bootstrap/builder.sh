# shellcheck shell=bash
# The role of a builder: builds what the build host's Nix hands over by ssh-ng, as its user `comfyui-builder`. That user's key
# can start Nix's daemon on its connection and nothing else; Nix trusts it, since inputs come from the build host unsigned.
# Settings: {role: "builder", clientKeys, substituters: [{url, publicKey}], trustedPublicKeys, netrc: null | [{machine, login,
# password}], systems, features, maxJobs}

# check_systems: the host's own system is one of those it is to build for; the others are left to its kernel (binfmt_misc).
check_systems() {
  local own
  own=$(uname -m)-linux
  [ -n "$(jq -r --arg own "$own" '.systems[] | select(. == $own)' <<<"$SETTINGS")" ] ||
    fail BOOTSTRAP_SYSTEMS "this host does not build for what it is to build for" "correct the builder's systems" "$own" "$(setting '.systems | join(", ")')"
}

role() {
  local keys
  check_systems
  install_nix
  account comfyui-builder --create-home --shell /bin/bash
  member comfyui-builder nix-users
  keys=$(setting '.clientKeys[]')
  login_keys comfyui-builder "$keys"
  sshd_settings 'Match User comfyui-builder
  AuthorizedKeysFile /etc/ssh/comfyui/%u
  AuthenticationMethods publickey
  ForceCommand nix-daemon --stdio
  DisableForwarding yes
  PermitTTY no
  PermitUserRC no'
  passwords root
  nix_conf "trusted-users = root comfyui-builder
max-jobs = $(setting .maxJobs)
cores = 0
builders =
extra-platforms = $(jq -r --arg own "$(uname -m)-linux" '.systems - [$own] | join(" ")' <<<"$SETTINGS")
extra-system-features = $(setting '.features | join(" ")')
$(caches)"
  nix_daemon
  answer role=builder "nix=$(nix --version)"
}

bootstrap
