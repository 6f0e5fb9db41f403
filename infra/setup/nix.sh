# Nix. Sourced by ../setup.sh.
# shellcheck shell=bash

nix_min=2.18 # older ones ignore unsafeDiscardReferences, so that a blob would keep what it packs alive
nix_tools=(nix nix-build nix-channel nix-collect-garbage nix-copy-closure nix-daemon nix-env nix-hash nix-instantiate
  nix-prefetch-url nix-shell nix-store)
nix_installer="sh <(curl --proto '=https' --tlsv1.2 -L https://nixos.org/nix/install) --daemon"
nix_socket=${NIX_DAEMON_SOCKET_PATH:-/nix/var/nix/daemon-socket/socket}

nix_version() {
  local text
  text=$("$1" --version 2>/dev/null) || return 1
  printf '%s\n' "${text##* }"
}

system_nix_fits() {
  local file version
  file=$(system_tool nix) && version=$(nix_version "$file") && at_least "$version" "$nix_min"
}

# choose_nix: sets nix_from; false where there is none and apt's is no help.
choose_nix() {
  nix_state=found nix_candidate=
  if system_nix_fits; then
    unlink_own "${nix_tools[@]}"
    nix_from=$(system_tool nix)
    return 0
  fi
  if unpack_bundle always; then
    link "${nix_tools[@]/#/$local_dir/toolchain/bin/}"
    nix_from="bundle, into .local/toolchain" nix_state=$bundle_state
    return 0
  fi
  unlink_own "${nix_tools[@]}"
  if ! has_tool apt-cache || ! can_be_root || ! apt_update_once; then return 1; fi
  nix_candidate="nix-bin $(LC_ALL=C apt-cache policy nix-bin | awk '$1 == "Candidate:" { print $2 }')"
  at_least "$nix_candidate" "$nix_min" || return 1
  apt_install nix-bin || return 1
  nix_from="apt (nix-bin)" nix_state=installed
}

nix_missing() {
  local file seen=none
  if file=$(system_tool nix); then seen="$file $(nix_version "$file" || echo 'that does not run')"; fi
  row nix - - "missing (>= $nix_min)"
  problem SETUP_NIX_MISSING "there is no Nix $nix_min or newer" "run the official installer: $nix_installer" \
    "PATH: $seen; bundle: $bundle_note; apt: ${nix_candidate:-not asked}" \
    "Nix $nix_min or newer from one of these"
}

# The store has to be ours to write, or a daemon has to write it for us.
prepare_store() {
  if [ -w /nix/store ] || [ -S "$nix_socket" ]; then return 0; fi
  if [ ! -e /nix/store ] && [ -w /nix ]; then return 0; fi
  if [ ! -e /nix ] && can_be_root && as_root mkdir -m 0755 /nix && as_root chown "$(id -u):$(id -g)" /nix; then
    row "nix store" - /nix installed
    return 0
  fi
  problem SETUP_NIX_STORE "the Nix store cannot be written by $(id -un), and no Nix daemon answers" \
    "start the daemon (sudo systemctl start nix-daemon); where there is none, install Nix with its daemon ($nix_installer), or make the store your own: sudo mkdir -p /nix && sudo chown -R $(id -un) /nix" \
    "/nix: $(stat -c '%A %U' /nix 2>/dev/null || echo 'not there'); $nix_socket: no socket" \
    "a writable /nix, or a running nix-daemon"
  return 1
}

untrusted() {
  problem SETUP_NIX_UNTRUSTED "the Nix daemon does not trust $(id -un), so it would ignore the settings that this project needs" \
    "add this line to /etc/nix/nix.conf: extra-trusted-users = $(id -un)   then: sudo systemctl restart nix-daemon (where there is no systemd: end nix-daemon and start it again)" \
    "trusted: $1" "trusted: true, in the answer of: nix store info --json"
}

# check_store: does it answer, is it new enough, does it trust us?
check_store() {
  local info trusted version
  if ! info=$(nix store info --json 2>"$local_dir/nix.log") && ! info=$(nix store ping --json 2>>"$local_dir/nix.log"); then
    problem SETUP_NIX_STORE "the Nix store does not answer: $(tail -n 2 "$local_dir/nix.log" | tr '\n' ' ')" \
      "start the daemon (sudo systemctl start nix-daemon), then run set-up again" "$nix_socket" "nix store info --json succeeds"
    return 1
  fi
  type -P jq >/dev/null || return 1 # reported already: a system tool that is missing
  version=$(jq -r '.version // empty' <<<"$info")
  trusted=$(jq -r 'if .trusted == true or .trusted == 1 then "yes" elif .trusted == null then "unknown" else "no" end' <<<"$info")
  if [ "$(jq -r .url <<<"$info")" = daemon ] && ! at_least "${version:-0}" "$nix_min"; then
    problem SETUP_NIX_DAEMON_OLD "the running Nix daemon is too old" "update the system's Nix, and restart nix-daemon" "$version" "$nix_min or newer"
    return 1
  fi
  if [ "$trusted" = no ]; then untrusted "$trusted"; return 1; fi
}

# check_sandbox: a build that cannot succeed, since only why it fails matters: for want of a builder, or of a sandbox?
check_sandbox() {
  local text
  if text=$(nix build --no-link --impure --expr \
    'derivation { name = "sandbox-probe"; system = builtins.currentSystem; builder = "/no/builder"; }' 2>&1); then return 0; fi
  case $text in *'kernel namespaces'*) ;; *) return 0 ;; esac
  problem SETUP_NIX_SANDBOX "this machine does not let Nix build in a sandbox" \
    "in a container: start it with --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined; on a host: sudo sysctl user.max_user_namespaces=10000 (and kernel.unprivileged_userns_clone=1 where there is such a setting)" \
    "$(grep -m 1 -o 'this system does not support.*' <<<"$text")" "user, mount and network namespaces"
  return 1
}

setup_nix() {
  have_nix=no
  if [ "$purpose" = no-nix ]; then row nix - - "left out (--no-nix)"; return 0; fi
  if ! choose_nix; then nix_missing; return 0; fi
  row nix "$(PATH=$local_dir/bin:$PATH nix_version nix)" "$nix_from" "$nix_state"
  prepare_store || return 0
  have_nix=yes
}

# Runs after env.sh has been read: the store is asked with the very settings that builds get.
setup_store() {
  [ "$have_nix" = yes ] || return 0
  if ! check_store || ! check_sandbox; then have_nix=no; fi
}
